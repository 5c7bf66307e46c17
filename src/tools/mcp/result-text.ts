/** What an MCP server answers, as text for a model. Read tolerantly: a part of an unknown type does not cost the rest. Pure. */
import type { Json, JsonObject } from '../../domain/item.ts';
import type { ToolResult } from '../tool.ts';

export function toolResultOf(answer: JsonObject): ToolResult {
  const { content, structuredContent, isError } = answer;
  const parts = (Array.isArray(content) ? (content as readonly Json[]) : []).map(partText);
  // A server that gives both says the same in both: the specification asks it to.
  const isToldInText = parts.length > 0 || structuredContent === undefined;
  const text = isToldInText ? parts.join('\n') : JSON.stringify(structuredContent);
  if (isError !== true) return { type: 'output', text };
  return { type: 'error', message: text === '' ? 'The tool failed and gave no reason.' : text };
}

function partText(part: Json): string {
  if (!isObject(part)) return '[content that is no object]';
  const type = words(part['type']);
  switch (type) {
    case 'text':
      return words(part['text']);
    case 'image':
    case 'audio':
      return `[${type}: ${described(part['mimeType'], part['data'])}]`;
    case 'resource':
      return isObject(part['resource']) ? resourceText(part['resource']) : '[a resource without content]';
    case 'resource_link':
      return `[link to a resource: ${[part['uri'], part['name'], part['description'], part['mimeType']].map(words).filter(Boolean).join(', ')}]`;
    default:
      return `[content of the type ${type.slice(0, 64) || 'unknown'}, which is not shown]`;
  }
}

function resourceText({ uri, mimeType, text, blob }: JsonObject): string {
  const name = words(uri) || 'without a name';
  if (typeof text !== 'string') return `[resource ${name}: ${described(mimeType, blob)}]`;
  return `[resource ${name}${typeof mimeType === 'string' ? `: ${mimeType}` : ''}]\n${text}`;
}

/** @param base64 the data itself, of which the model is told the size */
function described(mimeType: Json | undefined, base64: Json | undefined): string {
  const data = words(base64);
  const padding = data.endsWith('==') ? 2 : data.endsWith('=') ? 1 : 0;
  return `${words(mimeType) || 'of an unknown type'}, ${Math.floor((data.length * 3) / 4) - padding} bytes, not shown`;
}

function words(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
