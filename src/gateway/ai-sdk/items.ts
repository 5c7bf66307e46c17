/** The AI SDK's UI messages as items of a transcript. Pure. */
import { z } from 'zod';
import { approvalResponse, type ApprovalResponse } from '../../domain/agents/approval.ts';
import type { InputPart, NewItem } from '../../domain/item.ts';
import { ApiError } from '../http/errors.ts';
import { callName, jsonObject } from '../http/request-fields.ts';
import { callIdOf } from './parts.ts';
import type { UiMessage, UiPart } from './request-schema.ts';
import { readApprovalId } from './worker-parts.ts';

const text = z.looseObject({ text: z.string() });
const file = z.looseObject({
  url: z.string().optional(),
  mediaType: z.string(),
  filename: z.string().optional(),
  providerReference: z.record(z.string(), z.string()).optional(),
});
const call = z.looseObject({
  type: z.string(),
  toolCallId: callName.transform(callIdOf),
  toolName: z.string().optional(),
  state: z.string(),
  input: z.unknown().optional(),
  output: z.unknown().optional(),
  errorText: z.string().optional(),
  /** Of a call that a worker runs: whatever it gives comes from here. */
  providerExecuted: z.boolean().optional(),
  approval: z.looseObject({ id: z.string(), approved: z.boolean().optional(), reason: z.string().optional() }).optional(),
  callProviderMetadata: z.object({ turnkeep: z.object({ provider_fields: jsonObject.optional() }).optional() }).optional(),
});
type ToolCall = z.infer<typeof call>;

/** @param where what the request calls the message. @throws ApiError 400 naming the part that cannot be read */
export function uiItems(message: UiMessage, where: string): readonly NewItem[] {
  return message.role === 'assistant' ? assistantItems(message, where) : promptItems(message.role, message, where);
}

/** The outputs of the client's own tools for the calls of the message's last step: the model has not seen them yet. */
export function newToolOutputs(message: UiMessage, where: string): readonly NewItem[] {
  const from = message.parts.findLastIndex((part) => part.type === 'step-start') + 1;
  return message.parts.flatMap((part, index) =>
    index >= from && isToolPart(part) && part['providerExecuted'] !== true ? outputItems(read(call, part, `${where}.parts[${index}]`)) : [],
  );
}

export interface ApprovalAnswer extends ApprovalResponse {
  /** The answers to the same request that had been given back when this one was given. */
  readonly givenBack: number;
  readonly item: NewItem;
}

/** What the user has said to calls that wait for an approval, in whichever step they were asked for. */
export function approvalAnswers(message: UiMessage, where: string): readonly ApprovalAnswer[] {
  return message.parts.flatMap((part, index) => {
    if (!isToolPart(part) || part['providerExecuted'] !== true) return [];
    const { state, approval } = read(call, part, `${where}.parts[${index}]`);
    if (state !== 'approval-responded' || approval?.approved === undefined) return [];
    const { request, givenBack } = readApprovalId(approval.id);
    const response = { id: request, isApproved: approval.approved, reason: approval.reason };
    return [{ ...response, givenBack, item: approvalResponse(response) }];
  });
}

function promptItems(role: 'user' | 'system', { parts }: UiMessage, where: string): NewItem[] {
  const content = parts.flatMap((part, index): InputPart[] => {
    const at = `${where}.parts[${index}]`;
    if (part.type === 'text') return [{ type: 'input_text', text: read(text, part, at).text }];
    if (part.type === 'file') return [fileOf(part, at)];
    // The UI's own data and marks. The AI SDK sends them to no model either.
    if (part.type.startsWith('data-') || part.type === 'step-start') return [];
    throw invalidValue(`${at}.type`, `a message of the ${role} has parts of type text, file and data-…`);
  });
  return content.length === 0 ? [] : [{ type: 'message', status: 'completed', role, content }];
}

/** Step by step, each with its calls before their outputs. */
function assistantItems({ parts }: UiMessage, where: string): NewItem[] {
  const items: NewItem[] = [];
  let outputs: NewItem[] = [];
  const close = (): void => {
    items.push(...outputs);
    outputs = [];
  };
  for (const [index, part] of parts.entries()) {
    const at = `${where}.parts[${index}]`;
    if (part.type === 'step-start') close();
    if (part.type === 'text') {
      close();
      const output = read(text, part, at).text;
      const content = [{ type: 'output_text', text: output, annotations: [], logprobs: [] } as const];
      if (output !== '') items.push({ type: 'message', status: 'completed', role: 'assistant', content });
    } else if (isToolPart(part)) {
      const toolCall = read(call, part, at);
      const given = outputItems(toolCall);
      // A call without an output: it was cut off, or the client never ran it. Providers refuse a call without its output.
      if (given.length === 0) continue;
      items.push(callItem(toolCall));
      outputs.push(...given);
    }
  }
  close();
  return items;
}

function callItem({ toolCallId: call_id, toolName, type, input, callProviderMetadata }: ToolCall): NewItem {
  const name = toolName ?? type.slice('tool-'.length);
  const provider_fields = callProviderMetadata?.turnkeep?.provider_fields;
  const item = { type: 'function_call', status: 'completed', call_id, name, arguments: JSON.stringify(input ?? {}) } as const;
  return provider_fields === undefined ? item : { ...item, provider_fields };
}

function isToolPart({ type }: UiPart): boolean {
  return type === 'dynamic-tool' || type.startsWith('tool-');
}

/** One item, or none while the call has no output. */
function outputItems({ toolCallId, state, output, errorText }: ToolCall): readonly NewItem[] {
  const item = (result: string): readonly NewItem[] => [
    { type: 'function_call_output', status: 'completed', call_id: toolCallId, output: result },
  ];
  if (state === 'output-available') return item(typeof output === 'string' ? output : JSON.stringify(output ?? null));
  if (state === 'output-error') return item(errorText ?? 'The tool failed.');
  if (state === 'output-denied') return item('The user did not allow this call.');
  return [];
}

function fileOf(part: UiPart, at: string): InputPart {
  const { url, mediaType, filename, providerReference } = read(file, part, at);
  const isImage = mediaType.startsWith('image/');
  const fileId = providerReference?.['openai'];
  if (fileId !== undefined)
    return isImage ? { type: 'input_image', detail: 'auto', file_id: fileId } : { type: 'input_file', file_id: fileId };
  if (url === undefined) throw invalidValue(`${at}.url`, 'a file needs a data URL or an address');
  if (isImage) return { type: 'input_image', detail: 'auto', image_url: url };
  const name = filename === undefined ? {} : { filename };
  return url.startsWith('data:') ? { type: 'input_file', ...name, file_data: url } : { type: 'input_file', ...name, file_url: url };
}

function read<T>(schema: z.ZodType<T>, part: UiPart, at: string): T {
  const result = schema.safeParse(part);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalidValue([at, ...(issue?.path ?? [])].join('.'), issue?.message ?? 'not valid');
}

function invalidValue(param: string, message: string): ApiError {
  return new ApiError({ status: 400, param, code: 'invalid_value', message: `Invalid '${param}': ${message}.` });
}
