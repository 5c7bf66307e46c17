/** The Responses dialect. Strict in what proves the end, lenient in the rest: servers leave out numbers and indexes. */
import type { ModelEvent } from '../../domain/model.ts';
import { StreamParser, jsonOf } from './stream-parser.ts';
import { type FunctionCall, FunctionCalls } from './function-calls.ts';
import { asArray, asRecord, asWord, type JsonRecord } from '../json.ts';
import { modelFailure, safeWord } from '../failures/model-failure.ts';
import { ProviderError } from '../provider.ts';
import type { SseEvent } from '../http/sse.ts';
import { inBandFailure, statedError } from '../failures/error-body.ts';
import { usageOf } from './usage.ts';

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

export class ResponsesAnswer extends StreamParser {
  readonly #calls = new FunctionCalls();
  #hasMessage = false;
  /** The last piece of reasoning of the item that is not done yet. */
  #reasoning: string | undefined;
  #sealedCount = 0;

  read({ event, data }: SseEvent, out: ModelEvent[]): void {
    if (data === '[DONE]') {
      this.isOver = true;
      return;
    }
    const body = jsonOf(data);
    const type = asWord(body['type']) ?? event ?? '';
    this.meet(type === 'error' || type.startsWith('response.'), Array.isArray(body['choices']) ? 'chat' : undefined);
    if (isTextEvent(type)) {
      this.#showText(textEvents[type], asWord(body['delta']) ?? '', partOf(body), out);
      return;
    }
    switch (type) {
      case 'response.output_item.added':
        this.#announce(asRecord(body['item']), body['output_index'], out);
        return;
      case 'response.function_call_arguments.delta':
        this.#showArguments(this.#calls.addressed(body), asWord(body['delta']), out);
        return;
      case 'response.output_item.done': {
        const item = asRecord(body['item']);
        if (item?.['type'] === 'reasoning') this.#endReasoning(asWord(item['encrypted_content']), out);
        this.#lateArguments(this.#announce(item, body['output_index'], out), item?.['arguments'], out);
        return;
      }
      case 'response.in_progress':
        this.#count(asRecord(body['response']) ?? {});
        return;
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
    this.#count(response);
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
    this.prove(why === undefined ? { status: 'completed' } : { status: 'incomplete', reason: why }, out);
    this.isOver = true;
  }

  /** What the whole response holds, though no delta told it. */
  #showMissing(output: readonly unknown[], out: ModelEvent[]): void {
    const isUntold = { message: !this.#hasMessage, call: this.#calls.count === 0 };
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
    if (type === 'reasoning') this.#reasoning = part ?? '';
    else this.#hasMessage = true;
    this.show(part === undefined ? { type, text } : { type, text, item: part }, out);
  }

  /** Items come one after the other: what reasoning was told since the last one's end belongs to this one. */
  #endReasoning(encrypted: string | undefined, out: ModelEvent[]): void {
    const item = this.#reasoning ?? `sealed ${(this.#sealedCount += 1)}`;
    this.#reasoning = undefined;
    if (encrypted !== undefined) this.keep({ type: 'encrypted_reasoning', item, text: encrypted }, out);
  }

  #count(response: JsonRecord): void {
    this.usage = usageOf(response['usage']) ?? this.usage;
  }

  /** Shows the name of a call that is new; returns the call. */
  #announce(item: JsonRecord | undefined, outputIndex: unknown, out: ModelEvent[]): FunctionCall | undefined {
    if (item?.['type'] !== 'function_call') return undefined;
    const known = this.#calls.find(item, outputIndex);
    if (known !== undefined) return known;
    const call = this.#calls.add(item, outputIndex);
    const { item: name, callId } = call;
    this.show({ type: 'tool_call', item: name, callId, name: call.name, text: '' }, out);
    return call;
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
