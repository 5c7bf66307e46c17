/** A turn's events as the parts of the AI SDK's UI message stream (version 1, as AI SDK 5 to 7 read it). Pure. */
import { type CallItem, isCall } from '../../domain/item.ts';
import type { ResponseEvent } from '../../domain/response-event.ts';
import type { ResponseObject } from '../../domain/response.ts';
import { sseDone, type SsePayload, type Translator } from '../stream/encode.ts';

export interface PartsOptions {
  /** The message these parts belong to; the response's id by default. */
  readonly messageId?: string;
  /** The message has begun before: no `start`. */
  readonly isContinued?: boolean;
  /** The ids of the calls that stand in the message before this turn. */
  readonly callIds?: readonly string[];
}

export interface PartsState {
  /** What the UI calls each call, by its `output_index`. */
  readonly calls: Readonly<Record<number, string>>;
  readonly callIds: readonly string[];
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

export function uiParts({ messageId, isContinued = false, callIds = [] }: PartsOptions = {}): Translator<PartsState> {
  function step(state: PartsState, event: ResponseEvent): readonly [PartsState, readonly SsePayload[]] {
    switch (event.type) {
      case 'response.created': {
        const start = { type: 'start', messageId: messageId ?? event.response.id };
        return [state, [...(isContinued ? [] : [start]), { type: 'start-step' }]];
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
        if (!isCall(item)) return [state, none];
        const toolCallId = toolCallIdOf(item, state.callIds.includes(item.call_id));
        return [
          { calls: { ...state.calls, [output_index]: toolCallId }, callIds: [...state.callIds, item.call_id] },
          [{ type: 'tool-input-start', toolCallId, toolName: item.name }],
        ];
      }
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        return [state, [{ type: 'tool-input-delta', toolCallId: state.calls[event.output_index] ?? '', inputTextDelta: event.delta }]];
      case 'response.output_item.done':
        return [state, isCall(event.item) ? callEnd(event.item, state.calls[event.output_index] ?? '') : none];
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
      case 'response.mcp_call_arguments.done':
      case 'response.mcp_call.in_progress':
      case 'response.mcp_call.completed':
      case 'response.mcp_call.failed':
      case 'response.web_search_call.searching':
      default:
        return [state, none];
    }
  }
  return { initial: { calls: {}, callIds }, step };
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
  const hasCalls = output.some(isCall);
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
