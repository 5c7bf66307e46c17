/** Items of a transcript as the AI SDK's UI messages: the way back of `items.ts`, for a UI that is loaded anew. Pure. */
import { type CallItem, type InputItem, type InputPart, isCallOutput, type OutputItem, toolOutputText } from '../../domain/item.ts';
import { parsedOutput } from './replay.ts';

export interface UiPartOut {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface UiMessageOut {
  readonly id: string;
  readonly role: 'user' | 'system' | 'assistant';
  readonly parts: readonly UiPartOut[];
  /** How the turn ended, unless it completed. */
  readonly metadata?: { readonly status: string; readonly error?: { readonly code: string; readonly message: string } };
}

/** What was asked: a message of the UI for each message, one that carries nothing to show left out. */
export function askedMessages(input: readonly InputItem[]): UiMessageOut[] {
  return input.flatMap((item) => {
    if (item.type !== 'message') return [];
    const role = item.role === 'developer' ? 'system' : item.role;
    const parts = item.content.flatMap((part): UiPartOut[] => {
      if ('text' in part) return [{ type: 'text', text: part.text }];
      return 'refusal' in part ? [{ type: 'text', text: part.refusal }] : filePart(part);
    });
    return parts.length === 0 ? [] : [{ id: item.id, role, parts }];
  });
}

/** What the client's own tools gave, by `call_id`. */
export function givenOutputs(input: readonly InputItem[]): [string, string][] {
  return input.flatMap((item): [string, string][] => (isCallOutput(item) ? [[item.call_id, toolOutputText(item)]] : []));
}

/**
 * One turn's part of a message of the assistant.
 * @param outputs what the client's own tools gave for its calls, by `call_id`
 */
export function answerParts(output: readonly OutputItem[], outputs: ReadonlyMap<string, string>): UiPartOut[] {
  const parts = output.flatMap((item): UiPartOut[] => {
    switch (item.type) {
      case 'message':
        // This protocol has no part for a refusal: it is text.
        return item.content.map((part) => ({ type: 'text', text: 'text' in part ? part.text : part.refusal, state: 'done' }));
      case 'reasoning':
        return item.summary.map((part) => ({ type: 'reasoning', text: part.text, state: 'done' }));
      case 'function_call':
      case 'custom_tool_call':
        return [callPart(item, outputs.get(item.call_id))];
      case 'web_search_call':
      default:
        // This protocol has no part for what the provider's own tools did.
        return [];
    }
  });
  return parts.length === 0 ? [] : [{ type: 'step-start' }, ...parts];
}

/** As the stream leaves it: see `callEnd` of `parts.ts`. */
function callPart(item: CallItem, output: string | undefined): UiPartOut {
  const { name, call_id: toolCallId, status } = item;
  const common = { type: `tool-${name}`, toolCallId };
  if (status !== 'completed') return { ...common, state: 'input-streaming', input: undefined };
  const input = item.type === 'custom_tool_call' ? item.input : item.arguments.trim() === '' ? {} : parsedOutput(item.arguments);
  if (output !== undefined) return { ...common, state: 'output-available', input, output: parsedOutput(output) };
  return { ...common, state: 'input-available', input };
}

function filePart(part: Exclude<InputPart, { readonly text: string }>): UiPartOut[] {
  if (part.type === 'input_image') {
    return part.image_url == null ? [] : [{ type: 'file', mediaType: mediaTypeOf(part.image_url, 'image/*'), url: part.image_url }];
  }
  const url = part.file_url ?? part.file_data;
  if (url == null) return [];
  const filename = part.filename == null ? {} : { filename: part.filename };
  return [{ type: 'file', mediaType: mediaTypeOf(url, 'application/octet-stream'), ...filename, url }];
}

function mediaTypeOf(url: string, otherwise: string): string {
  return /^data:([\w.+-]+\/[\w.+-]+)/.exec(url)?.[1] ?? otherwise;
}
