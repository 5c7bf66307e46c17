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
}

export interface PartsState {
  /** The `call_id` of each call by its `output_index`, for deltas, which have only that. */
  readonly calls: Readonly<Record<number, string>>;
}

const none: readonly SsePayload[] = [];

export function uiParts({ messageId, isContinued = false }: PartsOptions = {}): Translator<PartsState> {
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
        return [
          { calls: { ...state.calls, [output_index]: item.call_id } },
          [{ type: 'tool-input-start', toolCallId: item.call_id, toolName: item.name }],
        ];
      }
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        return [state, [{ type: 'tool-input-delta', toolCallId: state.calls[event.output_index] ?? '', inputTextDelta: event.delta }]];
      case 'response.output_item.done':
        return [state, isCall(event.item) ? callEnd(event.item) : none];
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
      case 'response.web_search_call.searching':
      default:
        return [state, none];
    }
  }
  return { initial: { calls: {} }, step };
}

/** A call that was cut off stays `input-streaming`, so no client runs it. */
function callEnd(item: CallItem): readonly SsePayload[] {
  const { status, call_id: toolCallId, name: toolName } = item;
  if (status !== 'completed') return none;
  if (item.type === 'custom_tool_call') return [{ type: 'tool-input-available', toolCallId, toolName, input: item.input }];
  const text = item.arguments;
  try {
    return [{ type: 'tool-input-available', toolCallId, toolName, input: text.trim() === '' ? {} : (JSON.parse(text) as unknown) }];
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
