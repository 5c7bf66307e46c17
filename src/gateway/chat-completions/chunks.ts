/** A turn's events as the chunks of a Chat Completions stream. Pure. */
import { type CallItem, isCall, isWorkers, type OutputItem } from '../../domain/item.ts';
import type { ResponseEvent } from '../../domain/response/response-event.ts';
import type { ResponseObject } from '../../domain/response/response.ts';
import { sseDone, type SsePayload, type Translator } from '../stream/encode.ts';
import { approvalWords, betweenSteps } from './approvals.ts';
import { chatUsage, completionId, detailsOf, finishOf, isInReasoning, toChatError } from './completion.ts';

export interface ChunkOptions {
  /** `stream_options.include_usage` */
  readonly includesUsage: boolean;
  /** The request used `functions`, so a call is shown as `function_call`. */
  readonly isLegacy: boolean;
}

export interface ChunkState {
  /** The first fields of every chunk. */
  readonly head: { readonly id: string; readonly object: 'chat.completion.chunk'; readonly created: number; readonly model: string };
  /** The `output_index` of each call, at the index that the chunks give the call. */
  readonly calls: readonly number[];
  /** The provider has the reasoning that comes in `reasoning`: see `reasoningFields` of `completion.ts`. */
  readonly isInReasoning: boolean;
  /** Another tier than the usual one was asked for: which one served is told at the end. */
  readonly hasTier: boolean;
  /** Something was said. */
  readonly hasText: boolean;
  /** A worker's tools were called since. */
  readonly hasCalledTools: boolean;
}

const usualTier = 'default';

const none: readonly SsePayload[] = [];

export function chatChunks({ includesUsage, isLegacy }: ChunkOptions): Translator<ChunkState> {
  const chunk = (state: ChunkState, delta: object, finish_reason: string | null = null, more: object = {}): SsePayload => ({
    ...state.head,
    ...more,
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    ...(includesUsage ? { usage: null } : {}),
  });

  function callPiece(
    state: ChunkState,
    outputIndex: number,
    first: CallItem | undefined,
    piece: string,
    isCustom = first?.type === 'custom_tool_call',
  ): readonly SsePayload[] {
    const index = state.calls.indexOf(outputIndex);
    if (isLegacy) {
      // `function_call` has room for one call, and no id.
      return index > 0
        ? none
        : [chunk(state, { function_call: { ...(first === undefined ? {} : { name: first.name }), arguments: piece } })];
    }
    const type = isCustom ? 'custom' : 'function';
    const named = first === undefined ? {} : { name: first.name };
    const call = {
      index,
      ...(first === undefined ? {} : { id: first.call_id, type }),
      [type]: { ...named, [isCustom ? 'input' : 'arguments']: piece },
    };
    return [chunk(state, { tool_calls: [call] })];
  }

  function reasoningPiece(state: ChunkState, text: string): SsePayload {
    return chunk(state, { reasoning_content: text, ...(state.isInReasoning ? { reasoning: text } : {}) });
  }

  /** What a provider has said beside OpenAI's own fields is known once its item is whole. */
  function fieldsOf(state: ChunkState, outputIndex: number, item: OutputItem): readonly SsePayload[] {
    if (item.type === 'reasoning') {
      const details = detailsOf(item);
      return details.length === 0 ? none : [chunk(state, { reasoning_details: details })];
    }
    if (isLegacy || !isCall(item) || item.provider_fields === undefined) return none;
    return [chunk(state, { tool_calls: [{ ...item.provider_fields, index: state.calls.indexOf(outputIndex), ...emptyPieceOf(item) }] })];
  }

  /** Between what was said and what is said next. */
  function gap(state: ChunkState, isApart: boolean): readonly SsePayload[] {
    return state.hasText && isApart ? [chunk(state, { content: betweenSteps })] : none;
  }

  function end(state: ChunkState, response: ResponseObject): readonly SsePayload[] {
    const finish = finishOf(response, isLegacy);
    // Neither a finish reason nor `[DONE]`: no client may take this for a whole completion.
    if (finish.type === 'error') return [{ error: toChatError(finish.error) }];
    const tier = response['service_tier'] ?? usualTier;
    const served = state.hasTier || tier !== usualTier ? { service_tier: tier } : {};
    const words = approvalWords(response);
    return [
      ...(words === '' ? none : [...gap(state, true), chunk(state, { content: words })]),
      chunk(state, {}, finish.reason, served),
      ...(includesUsage ? [{ ...state.head, choices: [], usage: chatUsage(response) }] : []),
      sseDone,
    ];
  }

  function step(state: ChunkState, event: ResponseEvent): readonly [ChunkState, readonly SsePayload[]] {
    switch (event.type) {
      case 'response.created': {
        const { id, created_at: created, model } = event.response;
        const head = { id: completionId(id), object: 'chat.completion.chunk', created, model } as const;
        const hasTier = (event.response['service_tier'] ?? usualTier) !== usualTier;
        const begun: ChunkState = { ...state, head, hasTier };
        return [begun, [chunk(begun, { role: 'assistant', content: '' })]];
      }
      case 'response.output_text.delta':
        return [
          { ...state, hasText: true, hasCalledTools: false },
          [...gap(state, state.hasCalledTools), chunk(state, { content: event.delta })],
        ];
      case 'response.refusal.delta':
        return [state, [chunk(state, { refusal: event.delta })]];
      case 'response.reasoning_summary_part.added':
        // The parts of a summary are paragraphs; here they are one text.
        return [state, event.summary_index === 0 ? none : [reasoningPiece(state, '\n\n')]];
      case 'response.reasoning_summary_text.delta':
        return [state, [reasoningPiece(state, event.delta)]];
      case 'response.output_item.added': {
        const { item, output_index } = event;
        if (item.type === 'reasoning') return [{ ...state, isInReasoning: isInReasoning(item) }, none];
        if (!isCall(item)) return [isWorkers(item) ? { ...state, hasCalledTools: true } : state, none];
        const called: ChunkState = { ...state, calls: [...state.calls, output_index] };
        return [called, callPiece(called, output_index, item, '')];
      }
      case 'response.function_call_arguments.delta':
        return [state, callPiece(state, event.output_index, undefined, event.delta)];
      case 'response.custom_tool_call_input.delta':
        return [state, callPiece(state, event.output_index, undefined, event.delta, true)];
      case 'response.output_item.done':
        return [state, fieldsOf(state, event.output_index, event.item)];
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        return [state, end(state, event.response)];
      case 'response.queued':
      case 'response.in_progress':
      case 'response.content_part.added':
      case 'response.content_part.done':
      case 'response.output_text.done':
      case 'response.refusal.done':
      case 'response.reasoning_summary_part.done':
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

  const head = { id: '', object: 'chat.completion.chunk', created: 0, model: '' } as const;
  return { initial: { head, calls: [], isInReasoning: false, hasTier: false, hasText: false, hasCalledTools: false }, step };
}

function emptyPieceOf({ type }: CallItem): object {
  return type === 'function_call' ? { function: { arguments: '' } } : { custom: { input: '' } };
}
