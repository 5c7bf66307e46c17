/** Items of a transcript as the AI SDK's UI messages: the way back of `items.ts`, for a UI that is loaded anew. Pure. */
import { pairOutputs } from '../../domain/call-pairs.ts';
import { type CallItem, type CallOutputItem, type InputItem, type InputPart, type Item, toolOutputText } from '../../domain/item.ts';
import { toolCallIdOf } from './parts.ts';
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

/** What came with a turn, or was its answer. */
export interface UiStretch {
  readonly items: readonly Item[];
  readonly isAnswer: boolean;
}

/** The parts of a message of the assistant: those of its turns, each call with the output that the client's own tool gave. */
export function messageParts(stretches: readonly UiStretch[]): UiPartOut[] {
  const placed = stretches.flatMap(({ items }, stretch) => items.map((item) => ({ item, stretch })));
  const { outputs } = pairOutputs(placed);
  const callIds = new Set<string>();
  let from = 0;
  return stretches.flatMap(({ items, isAnswer }) => {
    const first = from;
    from += items.length;
    const parts = isAnswer ? items.flatMap((item, index) => partsOf(item, outputs.get(first + index), callIds)) : [];
    return parts.length === 0 ? [] : [{ type: 'step-start' }, ...parts];
  });
}

function partsOf(item: Item, output: CallOutputItem | undefined, callIds: Set<string>): UiPartOut[] {
  switch (item.type) {
    case 'message':
      // This protocol has no part for a refusal: it is text.
      return item.content.flatMap((part) => {
        if ('text' in part) return [{ type: 'text', text: part.text, state: 'done' }];
        return 'refusal' in part ? [{ type: 'text', text: part.refusal, state: 'done' }] : [];
      });
    case 'reasoning':
      return item.summary.map((part) => ({ type: 'reasoning', text: part.text, state: 'done' }));
    case 'function_call':
    case 'custom_tool_call': {
      const toolCallId = toolCallIdOf(item, callIds.has(item.call_id));
      callIds.add(item.call_id);
      return [callPart(item, toolCallId, output === undefined ? undefined : toolOutputText(output))];
    }
    case 'function_call_output':
    case 'custom_tool_call_output':
    case 'mcp_call':
    case 'mcp_approval_request':
    case 'web_search_call':
    default:
      // This protocol has no part for what the provider's own tools did.
      return [];
  }
}

/** As the stream leaves it: see `callEnd` of `parts.ts`. */
function callPart(item: CallItem, toolCallId: string, output: string | undefined): UiPartOut {
  const { name, status, provider_fields } = item;
  const metadata = provider_fields === undefined ? {} : { callProviderMetadata: { turnkeep: { provider_fields } } };
  const common = { type: `tool-${name}`, toolCallId };
  if (status !== 'completed') return { ...common, state: 'input-streaming', input: undefined };
  const input = item.type === 'custom_tool_call' ? item.input : item.arguments.trim() === '' ? {} : parsedOutput(item.arguments);
  if (output !== undefined) return { ...common, state: 'output-available', input, output: parsedOutput(output), ...metadata };
  return { ...common, state: 'input-available', input, ...metadata };
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
