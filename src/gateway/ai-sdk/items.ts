/** The AI SDK's UI messages as items of a transcript. Pure. */
import { z } from 'zod';
import type { InputPart, NewItem } from '../../domain/item.ts';
import { ApiError } from '../http/errors.ts';
import type { UiMessage, UiPart } from './request-schema.ts';

const text = z.looseObject({ text: z.string() });
const file = z.looseObject({
  url: z.string().optional(),
  mediaType: z.string(),
  filename: z.string().optional(),
  providerReference: z.record(z.string(), z.string()).optional(),
});
const call = z.looseObject({
  type: z.string(),
  toolCallId: z.string().min(1),
  toolName: z.string().optional(),
  state: z.string(),
  input: z.unknown().optional(),
  output: z.unknown().optional(),
  errorText: z.string().optional(),
});
type ToolCall = z.infer<typeof call>;

/** @param where of the message in the request, to name what is wrong. @throws ApiError 400 */
export function itemsOf(message: UiMessage, where: string): readonly NewItem[] {
  return message.role === 'assistant' ? saidItems(message, where) : askedItems(message.role, message, where);
}

/** What the client's own tools gave for the calls of the last step, which the model has not heard yet. */
export function newOutputsOf(message: UiMessage, where: string): readonly NewItem[] {
  const from = message.parts.findLastIndex((part) => part.type === 'step-start') + 1;
  return message.parts.flatMap((part, index) =>
    index >= from && isToolPart(part) ? outputOf(toolCallOf(part, `${where}.parts[${index}]`)) : [],
  );
}

function askedItems(role: 'user' | 'system', { parts }: UiMessage, where: string): NewItem[] {
  const content = parts.flatMap((part, index): InputPart[] => {
    const at = `${where}.parts[${index}]`;
    if (part.type === 'text') return [{ type: 'input_text', text: read(text, part, at).text }];
    if (part.type === 'file') return [fileOf(part, at)];
    // The client's own data, and marks for its eyes; the AI SDK tells no model of them either.
    if (part.type.startsWith('data-') || part.type === 'step-start') return [];
    throw invalid(`${at}.type`, `a message of the ${role} has parts of type text, file and data-…`);
  });
  return content.length === 0 ? [] : [{ type: 'message', status: 'completed', role, content }];
}

function saidItems({ parts }: UiMessage, where: string): NewItem[] {
  return parts.flatMap((part, index): readonly NewItem[] => {
    const at = `${where}.parts[${index}]`;
    if (part.type === 'text') {
      const said = read(text, part, at).text;
      return said === ''
        ? []
        : [
            {
              type: 'message',
              status: 'completed',
              role: 'assistant',
              content: [{ type: 'output_text', text: said, annotations: [], logprobs: [] }],
            },
          ];
    }
    if (!isToolPart(part)) return [];
    const made = toolCallOf(part, at);
    const output = outputOf(made);
    // A call without its output was not answered; a cut-off one was never made.
    if (output.length === 0) return [];
    const name = made.toolName ?? made.type.slice('tool-'.length);
    return [
      { type: 'function_call', status: 'completed', call_id: made.toolCallId, name, arguments: JSON.stringify(made.input ?? {}) },
      ...output,
    ];
  });
}

function isToolPart({ type }: UiPart): boolean {
  return type === 'dynamic-tool' || type.startsWith('tool-');
}

function toolCallOf(part: UiPart, at: string): ToolCall {
  return read(call, part, at);
}

function outputOf({ toolCallId, state, output, errorText }: ToolCall): readonly NewItem[] {
  const told = (said: string): readonly NewItem[] => [
    { type: 'function_call_output', status: 'completed', call_id: toolCallId, output: said },
  ];
  if (state === 'output-available') return told(typeof output === 'string' ? output : JSON.stringify(output ?? null));
  if (state === 'output-error') return told(errorText ?? 'The tool failed.');
  if (state === 'output-denied') return told('The user did not allow this call.');
  return [];
}

function fileOf(part: UiPart, at: string): InputPart {
  const { url, mediaType, filename, providerReference } = read(file, part, at);
  const isImage = mediaType.startsWith('image/');
  const fileId = providerReference?.['openai'];
  if (fileId !== undefined)
    return isImage ? { type: 'input_image', detail: 'auto', file_id: fileId } : { type: 'input_file', file_id: fileId };
  if (url === undefined) throw invalid(`${at}.url`, 'a file needs a data URL or an address');
  if (isImage) return { type: 'input_image', detail: 'auto', image_url: url };
  const name = filename === undefined ? {} : { filename };
  return url.startsWith('data:') ? { type: 'input_file', ...name, file_data: url } : { type: 'input_file', ...name, file_url: url };
}

function read<T>(schema: z.ZodType<T>, part: UiPart, at: string): T {
  const result = schema.safeParse(part);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalid([at, ...(issue?.path ?? [])].join('.'), issue?.message ?? 'not valid');
}

function invalid(param: string, message: string): ApiError {
  return new ApiError({ status: 400, param, code: 'invalid_value', message: `Invalid '${param}': ${message}.` });
}
