/** A turn's events as the parts of the AI SDK's UI message stream (version 1, as AI SDK 5 to 7 read it). Pure. */
import type { ApprovalResponse } from '../../domain/agents/approval.ts';
import { type CallItem, isCall, isWorkers, type OutputItem } from '../../domain/item.ts';
import type { ResponseEvent } from '../../domain/response/response-event.ts';
import type { ResponseObject } from '../../domain/response/response.ts';
import { sseDone, type SsePayload, type Translator } from '../stream/encode.ts';
import { beginsStep, inputAvailable, inputStart, outputChunk, type WorkerTool, workerToolOf } from './worker-parts.ts';

export interface PartsOptions {
  /** The message these parts belong to; the response's id by default. */
  readonly messageId?: string;
  /** The message has begun before: no `start`. */
  readonly isContinued?: boolean;
  /** The ids of the calls that stand in the message before this turn. */
  readonly callIds?: readonly string[];
  /** The answers of this turn to requests for approvals that stand in the message. */
  readonly answered?: readonly ApprovalResponse[];
}

export interface PartsState {
  /** What the UI calls each call, by its `output_index`. */
  readonly calls: Readonly<Record<number, string>>;
  readonly callIds: readonly string[];
  /** The calls of workers' tools, by their `output_index`. */
  readonly workers: Readonly<Record<number, WorkerTool>>;
  /** The turn's step that these calls are of, while nothing else has come. */
  readonly step: number | undefined;
}

/**
 * What the UI calls a call: its `call_id`, which comes first of any. A UI knows the parts of a message by this alone, and
 * would take a second call of one id for the first, so that one has the id of its item too.
 */
export function toolCallIdOf({ call_id, id }: Pick<CallItem, 'call_id' | 'id'>, isTaken: boolean): string {
  return isTaken ? `${call_id}#${id}` : call_id;
}

/** The way back of `toolCallIdOf`. */
export function callIdOf(toolCallId: string): string {
  return toolCallId.replace(/#(?:fc|ctc)_[\w-]*\d{4}$/, '');
}

const none: readonly SsePayload[] = [];

export function uiParts({ messageId, isContinued = false, callIds = [], answered = [] }: PartsOptions = {}): Translator<PartsState> {
  const standing = new Set(answered.map(({ id }) => id));
  const denied = answered.flatMap(({ id, isApproved }) => (isApproved ? [] : [{ type: 'tool-output-denied', toolCallId: id }]));

  function step(state: PartsState, event: ResponseEvent): readonly [PartsState, readonly SsePayload[]] {
    switch (event.type) {
      case 'response.created': {
        const start = { type: 'start', messageId: messageId ?? event.response.id };
        return [state, [...(isContinued ? [] : [start]), { type: 'start-step' }, ...denied]];
      }
      case 'response.content_part.added':
        return [state, [{ type: 'text-start', id: partId(event.item_id, event.content_index) }]];
      // This protocol has no part for a refusal: it is text.
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        return [state, [{ type: 'text-delta', id: partId(event.item_id, event.content_index), delta: event.delta }]];
      case 'response.content_part.done':
        return [state, [{ type: 'text-end', id: partId(event.item_id, event.content_index) }]];
      case 'response.reasoning_summary_part.added':
        return [state, [{ type: 'reasoning-start', id: partId(event.item_id, event.summary_index) }]];
      case 'response.reasoning_summary_text.delta':
        return [state, [{ type: 'reasoning-delta', id: partId(event.item_id, event.summary_index), delta: event.delta }]];
      case 'response.reasoning_summary_part.done':
        return [state, [{ type: 'reasoning-end', id: partId(event.item_id, event.summary_index) }]];
      case 'response.output_item.added': {
        const { item, output_index } = event;
        const [next, begin] = atStep(state, item);
        if (isWorkers(item)) return beginWorkers(next, begin, item, output_index);
        if (!isCall(item)) return [next, begin];
        const toolCallId = toolCallIdOf(item, next.callIds.includes(item.call_id));
        return [
          { ...next, calls: { ...next.calls, [output_index]: toolCallId }, callIds: [...next.callIds, item.call_id] },
          [...begin, { type: 'tool-input-start', toolCallId, toolName: item.name }],
        ];
      }
      case 'response.mcp_call_arguments.done': {
        const tool = state.workers[event.output_index];
        return [state, tool === undefined || standing.has(tool.toolCallId) ? none : [inputAvailable(tool, event.arguments)]];
      }
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        return [state, [{ type: 'tool-input-delta', toolCallId: state.calls[event.output_index] ?? '', inputTextDelta: event.delta }]];
      case 'response.output_item.done':
        return [state, itemEnd(state, event.item, event.output_index)];
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        return [state, end(event.response)];
      case 'response.queued':
      case 'response.in_progress':
      case 'response.output_text.done':
      case 'response.refusal.done':
      case 'response.reasoning_summary_text.done':
      case 'response.function_call_arguments.done':
      case 'response.custom_tool_call_input.done':
      case 'response.output_text.annotation.added':
      case 'response.mcp_call_arguments.delta':
      case 'response.mcp_call.in_progress':
      case 'response.mcp_call.completed':
      case 'response.mcp_call.failed':
      case 'response.web_search_call.searching':
      default:
        return [state, none];
    }
  }

  /** Where an item begins another step, the one before it ends. */
  function atStep(state: PartsState, item: OutputItem): readonly [PartsState, readonly SsePayload[]] {
    if (!beginsStep(state.step, item)) return [state, none];
    return [{ ...state, step: undefined }, [{ type: 'finish-step' }, { type: 'start-step' }]];
  }

  function beginWorkers(
    state: PartsState,
    begin: readonly SsePayload[],
    item: OutputItem & Parameters<typeof workerToolOf>[0],
    index: number,
  ): readonly [PartsState, readonly SsePayload[]] {
    const tool = workerToolOf(item, standing);
    const known: PartsState = { ...state, workers: { ...state.workers, [index]: tool } };
    // Its part stands in an earlier step.
    if (standing.has(tool.toolCallId)) return [known, begin];
    return [{ ...known, step: item.turnkeep.step }, [...begin, inputStart(tool)]];
  }

  return { initial: { calls: {}, callIds, workers: {}, step: undefined }, step };
}

function itemEnd({ calls, workers }: PartsState, item: OutputItem, index: number): readonly SsePayload[] {
  if (isCall(item)) return callEnd(item, calls[index] ?? '');
  const tool = workers[index];
  if (!isWorkers(item) || tool === undefined) return none;
  if (item.type === 'mcp_call') return [outputChunk(item, tool)];
  const { toolCallId } = tool;
  return [inputAvailable(tool, item.arguments), { type: 'tool-approval-request', approvalId: item.id, toolCallId }];
}

/** A call that was cut off stays `input-streaming`, so no client runs it. */
function callEnd(item: CallItem, toolCallId: string): readonly SsePayload[] {
  const { status, name: toolName, provider_fields } = item;
  if (status !== 'completed') return none;
  // A UI keeps it with the call, and sends it back.
  const metadata = provider_fields === undefined ? {} : { providerMetadata: { turnkeep: { provider_fields } } };
  if (item.type === 'custom_tool_call') return [{ type: 'tool-input-available', toolCallId, toolName, input: item.input, ...metadata }];
  const text = item.arguments;
  try {
    const input = text.trim() === '' ? {} : (JSON.parse(text) as unknown);
    return [{ type: 'tool-input-available', toolCallId, toolName, input, ...metadata }];
  } catch {
    const errorText = 'The arguments of the call are not valid JSON.';
    return [{ type: 'tool-input-error', toolCallId, toolName, input: text, errorText }];
  }
}

function end({ status, error, incomplete_details, output }: ResponseObject): readonly SsePayload[] {
  if (status === 'failed') {
    const { code, message } = error ?? { code: 'internal_error', message: 'The turn failed.' };
    return [{ type: 'error', errorText: `${code}: ${message}` }, sseDone];
  }
  if (status === 'cancelled') return [{ type: 'abort', reason: 'cancelled' }, sseDone];
  const hasCalls = output.some((item) => isCall(item) || (item.type === 'mcp_approval_request' && isWorkers(item)));
  const finishReason =
    status === 'incomplete'
      ? incomplete_details?.reason === 'content_filter'
        ? 'content-filter'
        : 'length'
      : hasCalls
        ? 'tool-calls'
        : 'stop';
  return [{ type: 'finish-step' }, { type: 'finish', finishReason }, sseDone];
}

function partId(item: string, index: number): string {
  return `${item}:${index}`;
}
