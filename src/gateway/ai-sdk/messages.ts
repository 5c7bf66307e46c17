/** Items of a transcript as the AI SDK's UI messages: the way back of `items.ts`, for a UI that is loaded anew. Pure. */
import { pairOutputs } from '../../domain/prompt/call-pairs.ts';
import {
  type CallItem,
  type CallOutputItem,
  type InputItem,
  type InputPart,
  isWorkers,
  type Item,
  toolOutputText,
  type WorkerCallItem,
} from '../../domain/item.ts';
import { toolCallIdOf } from './parts.ts';
import {
  type ApprovalAnswers,
  approvalPart,
  beginsStep,
  callPart as workerPart,
  parsedOutput,
  requestOf,
  type UiPartOut,
} from './worker-parts.ts';

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

/**
 * The parts of a message of the assistant: those of its turns, each call with the output that the client's own tool gave.
 * @param approvals the answers to requests for approvals, by the ids of these
 */
export function messageParts(stretches: readonly UiStretch[], approvals: ReadonlyMap<string, ApprovalAnswers> = new Map()): UiPartOut[] {
  const placed = stretches.flatMap(({ items }, stretch) => items.map((item) => ({ item, stretch })));
  const { outputs } = pairOutputs(placed);
  const callIds = new Set<string>();
  const workers = workersOf(placed.map(({ item }) => item));
  let from = 0;
  return stretches.flatMap(({ items, isAnswer }) => {
    const first = from;
    from += items.length;
    if (!isAnswer) return [];
    let step: number | undefined;
    const parts = items.flatMap((item, index): UiPartOut[] => {
      const isNext = beginsStep(step, item);
      if (isNext) step = undefined;
      const begin = isNext ? [{ type: 'step-start' }] : [];
      if (!isWorkers(item)) return [...begin, ...partsOf(item, outputs.get(first + index), callIds)];
      const request = requestOf(item);
      // It is shown where its approval was asked for.
      if (request !== undefined && workers.requests.has(request)) return begin;
      step = item.turnkeep.step;
      if (item.type === 'mcp_call') return [...begin, workerPart(item)];
      return [...begin, approvalPart({ request: item, ...(approvals.get(item.id) ?? unanswered), call: workers.calls.get(item.id) })];
    });
    return parts.length === 0 ? [] : [{ type: 'step-start' }, ...parts];
  });
}

const unanswered: ApprovalAnswers = { response: undefined, givenBack: 0 };

/** The requests for approvals, and the calls that were made once they were approved, by the ids of the requests. */
function workersOf(items: readonly Item[]): {
  readonly requests: ReadonlySet<string>;
  readonly calls: ReadonlyMap<string, WorkerCallItem>;
} {
  const requests = new Set<string>();
  const calls = new Map<string, WorkerCallItem>();
  for (const item of items) {
    if (!isWorkers(item)) continue;
    if (item.type === 'mcp_approval_request') requests.add(item.id);
    else if (item.approval_request_id !== null) calls.set(item.approval_request_id, item);
  }
  return { requests, calls };
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
