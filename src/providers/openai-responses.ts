/** The Responses dialect. Strict in what proves the end, lenient in the rest: servers leave out numbers and indexes. */
import type { ModelEvent } from '../domain/model.ts';
import { Answer, jsonOf } from './answer.ts';
import { asArray, asRecord, asWord, type JsonRecord } from './json.ts';
import { modelFailure, safeWord } from './model-failure.ts';
import { ProviderError } from './provider.ts';
import type { SseEvent } from './sse.ts';
import { inBandFailure, statedError } from './stated-error.ts';
import { usageOf } from './usage.ts';

interface FunctionCall {
  readonly item: string;
  readonly callId: string;
  readonly name: string;
  hasArguments: boolean;
}

const textEvents = {
  'response.output_text.delta': 'text',
  'response.refusal.delta': 'refusal',
  'response.reasoning_text.delta': 'reasoning',
  'response.reasoning.delta': 'reasoning',
  'response.reasoning_summary_text.delta': 'reasoning',
} as const;

const incompleteReasons = new Map([
  ['max_output_tokens', 'max_output_tokens'],
  ['max_tokens', 'max_output_tokens'],
  ['content_filter', 'content_filter'],
]);

export class ResponsesAnswer extends Answer {
  /** By item id and by output index, whichever the events carry. */
  readonly #calls = new Map<string, FunctionCall>();
  #hasMessage = false;
  #lastCall: FunctionCall | undefined;

  read({ event, data }: SseEvent, out: ModelEvent[]): void {
    if (data === '[DONE]') {
      this.isOver = true;
      return;
    }
    const body = jsonOf(data);
    const type = asWord(body['type']) ?? event ?? '';
    if (isTextEvent(type)) {
      this.#showText(textEvents[type], asWord(body['delta']) ?? '', partOf(body), out);
      return;
    }
    switch (type) {
      case 'response.output_item.added':
        this.#announce(asRecord(body['item']), body['output_index'], out);
        return;
      case 'response.function_call_arguments.delta':
        this.#showArguments(this.#callOf(body), asWord(body['delta']), out);
        return;
      case 'response.output_item.done': {
        const item = asRecord(body['item']);
        this.#lateArguments(this.#announce(item, body['output_index'], out), item?.['arguments'], out);
        return;
      }
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.#end(type, asRecord(body['response']) ?? {}, out);
        return;
      case 'error':
        throw new ProviderError(inBandFailure(statedError(body)));
      default:
    }
  }

  #end(type: string, response: JsonRecord, out: ModelEvent[]): void {
    const status = asWord(response['status']);
    if (type === 'response.failed' || status === 'failed') {
      throw new ProviderError(inBandFailure(statedError(asRecord(response['error']) ?? {})));
    }
    const { reason } = asRecord(response['incomplete_details']) ?? {};
    const isIncomplete = type === 'response.incomplete' || status === 'incomplete';
    // One that gives no reason has at least said that it is not whole.
    const why = isIncomplete ? incompleteReasons.get(asWord(reason) ?? 'max_output_tokens') : undefined;
    if (isIncomplete && why === undefined) {
      throw new ProviderError(modelFailure('provider_protocol', { detail: `incomplete_reason=${safeWord(String(reason))}` }));
    }
    this.#showMissing(asArray(response['output']), out);
    this.usage = usageOf(response['usage']);
    this.prove(why === undefined ? { status: 'completed' } : { status: 'incomplete', reason: why }, out);
    this.isOver = true;
  }

  /** What the whole response holds, though no delta told it. */
  #showMissing(output: readonly unknown[], out: ModelEvent[]): void {
    const isUntold = { message: !this.#hasMessage, call: this.#calls.size === 0 };
    output.forEach((each, index) => {
      const item = asRecord(each) ?? {};
      if (item['type'] === 'message' && isUntold.message) {
        asArray(item['content']).forEach((part, partIndex) => {
          const { text, refusal } = asRecord(part) ?? {};
          const at = `${index} ${partIndex}`;
          this.#showText('text', asWord(text) ?? '', at, out);
          this.#showText('refusal', asWord(refusal) ?? '', at, out);
        });
      } else if (item['type'] === 'function_call' && isUntold.call) {
        this.#lateArguments(this.#announce(item, index, out), item['arguments'], out);
      }
    });
  }

  #showText(type: 'text' | 'refusal' | 'reasoning', text: string, part: string | undefined, out: ModelEvent[]): void {
    if (text === '') return;
    if (type !== 'reasoning') this.#hasMessage = true;
    this.show(part === undefined ? { type, text } : { type, text, item: part }, out);
  }

  /** Shows the name of a call that is new; returns the call. */
  #announce(item: JsonRecord | undefined, outputIndex: unknown, out: ModelEvent[]): FunctionCall | undefined {
    if (item?.['type'] !== 'function_call') return undefined;
    const keys = keysOf(item['id'], outputIndex);
    const known = this.#find(keys) ?? this.#withCallId(asWord(item['call_id']));
    if (known !== undefined) return known;
    const name = asWord(item['name']);
    if (name === undefined) throw new ProviderError(modelFailure('provider_protocol', { detail: 'tool_call_without_name' }));
    const number = `call ${this.#calls.size}`;
    const callId = asWord(item['call_id']) ?? asWord(item['id']) ?? `call_${crypto.randomUUID()}`;
    const call: FunctionCall = { item: number, callId, name, hasArguments: false };
    for (const key of keys.length === 0 ? [number] : keys) this.#calls.set(key, call);
    this.#lastCall = call;
    this.show({ type: 'tool_call', item: call.item, callId, name, text: '' }, out);
    return call;
  }

  #callOf(body: JsonRecord): FunctionCall {
    const keys = keysOf(body['item_id'], body['output_index']);
    const call = this.#find(keys) ?? this.#lastCall;
    if (call === undefined) throw new ProviderError(modelFailure('provider_protocol', { detail: 'arguments_without_call' }));
    return call;
  }

  #find(keys: readonly string[]): FunctionCall | undefined {
    for (const key of keys) {
      const call = this.#calls.get(key);
      if (call !== undefined) return call;
    }
    return undefined;
  }

  #withCallId(callId: string | undefined): FunctionCall | undefined {
    return callId === undefined ? undefined : [...this.#calls.values()].find((call) => call.callId === callId);
  }

  #showArguments(call: FunctionCall, text: string | undefined, out: ModelEvent[]): void {
    if (text === undefined) return;
    call.hasArguments = true;
    this.show({ type: 'tool_call', item: call.item, callId: call.callId, name: call.name, text }, out);
  }

  /** Some servers send arguments whole, when the call is done. */
  #lateArguments(call: FunctionCall | undefined, text: unknown, out: ModelEvent[]): void {
    if (call !== undefined && !call.hasArguments) this.#showArguments(call, asWord(text), out);
  }
}

function isTextEvent(type: string): type is keyof typeof textEvents {
  return Object.hasOwn(textEvents, type);
}

/** Names the part of the item, so that a new one begins where the provider's does. */
function partOf(body: JsonRecord): string | undefined {
  const item = asWord(body['item_id']) ?? body['output_index'];
  const part = body['content_index'] ?? body['summary_index'];
  if (item === undefined && part === undefined) return undefined;
  return JSON.stringify([item, part]);
}

function keysOf(id: unknown, outputIndex: unknown): readonly string[] {
  const byId = asWord(id);
  return [...(byId === undefined ? [] : [`id ${byId}`]), ...(typeof outputIndex === 'number' ? [`index ${outputIndex}`] : [])];
}
