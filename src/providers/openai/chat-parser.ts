/** The Chat Completions dialect, as OpenAI and the many servers that copy it speak it. */
import type { ModelEvent } from '../../domain/model.ts';
import { StreamParser, jsonOf } from './stream-parser.ts';
import { readFinishReason } from './finish-reason.ts';
import { asArray, asRecord, asWord, type JsonRecord } from '../json.ts';
import { ProviderError } from '../provider.ts';
import { notThisApi, type SseEvent } from '../http/sse.ts';
import { inBandFailure, statedError } from '../failures/error-body.ts';
import { usageOf } from './usage.ts';

interface ToolCall {
  readonly item: string;
  readonly callId: string;
  name: string;
}

export class ChatAnswer extends StreamParser {
  /** By the provider's index. */
  readonly #calls = new Map<number, ToolCall>();
  #callCount = 0;
  #lastIndex = 0;

  read({ event, data }: SseEvent, out: ModelEvent[]): void {
    if (data === '[DONE]') {
      this.isOver = true;
      return;
    }
    const chunk = jsonOf(data);
    const isOwn =
      Array.isArray(chunk['choices']) || isSet(chunk['usage']) || isSet(chunk['error']) || event === 'error' || chunk['object'] === 'error';
    this.meet(isOwn, asWord(chunk['type'])?.startsWith('response.') === true ? 'responses' : undefined);
    if (event === 'error' || isSet(chunk['error']) || chunk['object'] === 'error') {
      throw new ProviderError(inBandFailure(statedError(chunk)));
    }
    this.usage = usageOf(chunk['usage']) ?? this.usage;
    const choice = asArray(chunk['choices'])
      .map(asRecord)
      .find((each) => each !== undefined && (each['index'] ?? 0) === 0);
    if (choice !== undefined && !this.hasProof) this.#readChoice(choice, out);
    if (this.hasProof && isSet(chunk['usage'])) this.isOver = true;
  }

  #readChoice(choice: JsonRecord, out: ModelEvent[]): void {
    const delta = asRecord(choice['delta']);
    if (delta !== undefined) this.#readDelta(delta, out);
    const reason = asWord(choice['finish_reason']);
    if (reason === undefined || reason === 'null') return;
    const finish = readFinishReason(reason);
    if ('failure' in finish) throw new ProviderError(finish.failure);
    for (const { name } of this.#calls.values()) {
      if (name === '') throw notThisApi('tool_call_without_name');
    }
    this.prove(finish.proof, out);
  }

  #readDelta(delta: JsonRecord, out: ModelEvent[]): void {
    const reasoning = asWord(delta['reasoning_content']) ?? asWord(delta['reasoning']);
    if (reasoning !== undefined) this.show({ type: 'reasoning', text: reasoning }, out);
    const content = asWord(delta['content']);
    if (content !== undefined) this.show({ type: 'text', text: content }, out);
    const refusal = asWord(delta['refusal']);
    if (refusal !== undefined) this.show({ type: 'refusal', text: refusal }, out);
    for (const piece of asArray(delta['tool_calls'])) this.#readCall(asRecord(piece) ?? {}, out);
    // The form of 2023, still spoken by some.
    const legacy = asRecord(delta['function_call']);
    if (legacy !== undefined) this.#readCall({ index: 0, function: legacy }, out);
  }

  #readCall(piece: JsonRecord, out: ModelEvent[]): void {
    const { name, arguments: text } = asRecord(piece['function']) ?? {};
    const call = this.#callOf(piece);
    const isNamed = call.name === '' && asWord(name) !== undefined;
    if (isNamed) call.name = asWord(name) ?? '';
    const args = asWord(text) ?? '';
    if (args !== '' && call.name === '') throw notThisApi('tool_call_without_name');
    if (isNamed || args !== '') this.show({ type: 'tool_call', item: call.item, callId: call.callId, name: call.name, text: args }, out);
  }

  /** Servers that leave out `index` send whole calls, or pieces of the last one; some give every call index 0. */
  #callOf(piece: JsonRecord): ToolCall {
    const id = asWord(piece['id']);
    const index = typeof piece['index'] === 'number' ? piece['index'] : id === undefined ? this.#lastIndex : this.#callCount;
    this.#lastIndex = index;
    const known = this.#calls.get(index);
    if (known !== undefined && (id === undefined || id === known.callId)) return known;
    const call = { item: `call ${this.#callCount}`, callId: id ?? `call_${crypto.randomUUID()}`, name: '' };
    this.#callCount += 1;
    this.#calls.set(index, call);
    return call;
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}
