/** A tool as an MCP server lists it, as far as it can be used. Pure. */
import type { Json, JsonObject } from '../../domain/item.ts';

/** OpenAI's items and requests take no longer one, and no other characters; MCP asks for the same. */
const usableName = /^[\w.\-/]{1,128}$/;
/** In UTF-16 code units: each request to the model carries the whole of both. */
const maxDescriptionChars = 8_192;
const maxSchemaChars = 131_072;
/** A title, and a few hints. */
const maxAnnotationChars = 4_096;

/** Runs of a call that a server says may be repeated: as many as a request to a model has. */
const attemptsWhenRepeatable = 3;

export interface ListedTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonObject;
  readonly annotations?: JsonObject;
  /** How often a call may be run after a lost worker. */
  readonly attempts: number;
}

/** @returns undefined: it cannot be called as it is */
export function readListedTool(value: unknown): ListedTool | undefined {
  if (!isObject(value as Json)) return undefined;
  const { name, description, inputSchema = { type: 'object' }, annotations, execution } = value as JsonObject;
  if (typeof name !== 'string' || !usableName.test(name) || !isObject(inputSchema)) return undefined;
  if (JSON.stringify(inputSchema).length > maxSchemaChars) return undefined;
  // Its answer would be a task that has to be asked for: the protocol's experiment, which we do not take part in.
  if (isObject(execution) && execution['taskSupport'] === 'required') return undefined;
  return {
    name,
    description: typeof description === 'string' ? description.slice(0, maxDescriptionChars) : '',
    inputSchema,
    ...(isObject(annotations) && JSON.stringify(annotations).length <= maxAnnotationChars ? { annotations } : {}),
    attempts: attemptsOf(annotations),
  };
}

/**
 * A hint is a server's word about itself, and here the word of one that the operator has configured: it decides whether a call
 * is repeated, not whether it is allowed. Without a hint a tool runs once.
 */
function attemptsOf(annotations: Json | undefined): number {
  if (!isObject(annotations)) return 1;
  return annotations['readOnlyHint'] === true || annotations['idempotentHint'] === true ? attemptsWhenRepeatable : 1;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
