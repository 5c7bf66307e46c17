/** Parses a Chat Completions stream, as OpenAI and the many servers that imitate it send it. */
import type { ModelEvent } from '../../domain/model.ts';
import { failureOfStreamError, readErrorBody } from '../failures/error-body.ts';
import { protocolError } from '../failures/model-failure.ts';
import type { SseEvent } from '../http/sse.ts';
import { asArray, asRecord, asText, type JsonRecord } from '../json.ts';
import { ProviderError } from '../provider.ts';
import { readFinishReason } from './finish-reason.ts';
import { parseJsonObject, StreamParser } from './stream-parser.ts';
import { readUsage } from './usage.ts';

interface ToolCall {
  readonly item: string;
  readonly callId: string;
  name: string;
}

export class ChatParser extends StreamParser {
  /** By the provider's index. */
  readonly #calls = new Map<number, ToolCall>();
  #callCount = 0;
  #lastIndex = 0;
  #hasDeltas = false;

  read({ event, data }: SseEvent, out: ModelEvent[]): void {
    if (data === '[DONE]') {
      this.isOver = true;
      return;
    }
    const chunk = parseJsonObject(data);
    const isOwn =
      Array.isArray(chunk['choices']) || isSet(chunk['usage']) || isSet(chunk['error']) || event === 'error' || chunk['object'] === 'error';
    this.checkApi(isOwn, asText(chunk['type'])?.startsWith('response.') === true ? 'responses' : undefined);
    if (event === 'error' || isSet(chunk['error']) || chunk['object'] === 'error') {
      throw new ProviderError(failureOfStreamError(readErrorBody(chunk)));
    }
    this.usage = readUsage(chunk['usage']) ?? this.usage;
    const choice = asArray(chunk['choices'])
      .map(asRecord)
      .find((each) => each !== undefined && (each['index'] ?? 0) === 0);
    if (choice !== undefined && !this.hasFinish) this.#readChoice(choice, out);
    if (this.hasFinish && isSet(chunk['usage'])) this.isOver = true;
  }

  #readChoice(choice: JsonRecord, out: ModelEvent[]): void {
    const delta = asRecord(choice['delta']);
    if (delta !== undefined) this.#hasDeltas = true;
    // Caches, and servers that cannot stream a call, send the whole completion as one event; others repeat it behind the deltas.
    const pieces = delta ?? (this.#hasDeltas ? undefined : asRecord(choice['message']));
    if (pieces !== undefined) this.#readDelta(pieces, out);
    const reason = asText(choice['finish_reason']);
    if (reason === undefined || reason === 'null') return;
    const result = readFinishReason(reason);
    if ('failure' in result) throw new ProviderError(result.failure);
    for (const { name } of this.#calls.values()) {
      if (name === '') throw protocolError('tool_call_without_name');
    }
    this.emitFinish(result.finish, out);
  }

  #readDelta(delta: JsonRecord, out: ModelEvent[]): void {
    const reasoning = asText(delta['reasoning_content']) ?? asText(delta['reasoning']);
    if (reasoning !== undefined) this.emitDelta({ type: 'reasoning', text: reasoning }, out);
    const content = asText(delta['content']);
    if (content !== undefined) this.emitDelta({ type: 'text', text: content }, out);
    const refusal = asText(delta['refusal']);
    if (refusal !== undefined) this.emitDelta({ type: 'refusal', text: refusal }, out);
    for (const piece of asArray(delta['tool_calls'])) this.#readCall(asRecord(piece) ?? {}, out);
    // The form before `tool_calls`, which some servers still send.
    const legacy = asRecord(delta['function_call']);
    if (legacy !== undefined) this.#readCall({ index: 0, function: legacy }, out);
  }

  #readCall(piece: JsonRecord, out: ModelEvent[]): void {
    const { name, arguments: text } = asRecord(piece['function']) ?? {};
    const call = this.#callOf(piece);
    const isNamed = call.name === '' && asText(name) !== undefined;
    if (isNamed) call.name = asText(name) ?? '';
    const args = asText(text) ?? '';
    if (args !== '' && call.name === '') throw protocolError('tool_call_without_name');
    if (isNamed || args !== '')
      this.emitDelta({ type: 'tool_call', item: call.item, callId: call.callId, name: call.name, text: args }, out);
  }

  /** Servers that leave out `index` send whole calls, or pieces of the last one; others send index 0 with every call. */
  #callOf(piece: JsonRecord): ToolCall {
    const id = asText(piece['id']);
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
