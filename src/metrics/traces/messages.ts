/**
 * What was said in a turn, in the form that OpenTelemetry's conventions for generative AI give it: messages of parts, as JSON
 * that is whole however much was said. Pure.
 */
import { type InputPart, isOpaque, isWorkers, type Item, type MessagePart, toolOutputText } from '../../domain/item.ts';

interface Message {
  readonly role: string;
  readonly parts: readonly Part[];
  readonly finish_reason?: string;
}

type Part = { readonly type: string; readonly [member: string]: string | undefined };

/** Of one attribute, in characters: collectors refuse spans of many megabytes. */
const longestAttribute = 65_536;

/** Of one text, one after the other, until the attribute is short enough. */
const longestTexts = [65_536, 8_192, 1_024, 128];

export function inputMessages(items: readonly Item[]): string {
  return bounded(items.map(messageOf));
}

/** @param finishReason why the model stopped */
export function outputMessages(items: readonly Item[], finishReason: string): string {
  return bounded(items.map((item) => ({ ...messageOf(item), finish_reason: finishReason })));
}

export function boundedText(text: string): string {
  return cut(text, longestAttribute);
}

/** The newest messages that there is room for, their texts cut where they are long. */
function bounded(messages: readonly Message[]): string {
  for (const longest of longestTexts) {
    const json = JSON.stringify(messages, (_, value: unknown) => (typeof value === 'string' ? cut(value, longest) : value));
    if (json.length <= longestAttribute) return json;
  }
  return bounded(messages.slice(Math.ceil(messages.length / 2)));
}

function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}

function messageOf(item: Item): Message {
  if (isWorkers(item)) {
    const call: Part = { type: 'tool_call', id: item.turnkeep.call_id, name: item.name, arguments: item.arguments };
    return { role: 'assistant', parts: [call] };
  }
  if (isOpaque(item)) return { role: 'assistant', parts: [{ type: item.type }] };
  switch (item.type) {
    case 'message':
      return { role: item.role === 'developer' ? 'system' : item.role, parts: item.content.map(partOf) };
    case 'reasoning':
      return { role: 'assistant', parts: item.summary.map(({ text }) => ({ type: 'reasoning', content: text })) };
    case 'function_call':
      return { role: 'assistant', parts: [{ type: 'tool_call', id: item.call_id, name: item.name, arguments: item.arguments }] };
    case 'custom_tool_call':
      return { role: 'assistant', parts: [{ type: 'tool_call', id: item.call_id, name: item.name, arguments: item.input }] };
    case 'function_call_output':
    case 'custom_tool_call_output':
      return { role: 'tool', parts: [{ type: 'tool_call_response', id: item.call_id, response: toolOutputText(item) }] };
  }
}

/** Of images and files it says where they are, where that is elsewhere: never their bytes. */
function partOf(part: InputPart | MessagePart): Part {
  switch (part.type) {
    case 'input_text':
    case 'output_text':
      return { type: 'text', content: part.text };
    case 'refusal':
      return { type: 'text', content: part.refusal };
    case 'input_image':
      return elsewhere('image', part.image_url, part.file_id);
    case 'input_file':
      return elsewhere('document', part.file_url, part.file_id);
  }
}

function elsewhere(modality: string, uri: string | undefined, fileId: string | undefined): Part {
  if (fileId !== undefined) return { type: 'file', modality, file_id: fileId };
  return uri === undefined || uri.startsWith('data:') ? { type: 'blob', modality } : { type: 'uri', modality, uri };
}
