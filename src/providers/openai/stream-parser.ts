/**
 * The base of both APIs' parsers: reads the events of one stream into `ModelEvent`s. No I/O: the same events give the
 * same deltas. `stream-response.ts` drives it.
 */
import { longestCallName } from '../../domain/item.ts';
import type { ModelDelta, ModelEvent, ModelFinish } from '../../domain/model.ts';
import { startsStep } from '../../domain/model.ts';
import type { Usage } from '../../domain/response.ts';
import { modelFailure, protocolError } from '../failures/model-failure.ts';
import type { SseEvent } from '../http/sse.ts';
import { asRecord, type JsonRecord, parseJson } from '../json.ts';
import { ProviderError } from '../provider.ts';

export abstract class StreamParser {
  /** Whether the provider has said how the response ended (T8). What happens to the connection after that is ignored. */
  hasFinish = false;
  /** Whether the rest of the stream is of no interest: finish and usage have come, or `[DONE]`. */
  isOver = false;
  usage: Usage | undefined;
  /** Whether events came, but none of this API: a retry cannot help. */
  get isForeign(): boolean {
    return this.#hasEvents && !this.#hasOwnEvents;
  }
  #hasOwnEvents = false;
  #hasEvents = false;
  #hasOutput = false;

  /** Appends the event's deltas, or finish, to `out`. Throws `ProviderError`; what was appended before that stays valid. */
  abstract read(event: SseEvent, out: ModelEvent[]): void;

  /** Appends a delta, unless it is empty. */
  protected emitDelta(delta: ModelDelta, out: ModelEvent[]): void {
    if (!startsStep(delta)) return;
    if (delta.type === 'tool_call' && Math.max(delta.callId.length, delta.name.length) > longestCallName)
      throw protocolError('call_id_too_long');
    if (delta.type !== 'reasoning') this.#hasOutput = true;
    out.push({ type: 'delta', delta });
  }

  /** Apart from `emitDelta`, because encrypted reasoning neither starts a step nor counts as output. */
  protected emitEncryptedReasoning(delta: ModelDelta & { readonly type: 'encrypted_reasoning' }, out: ModelEvent[]): void {
    if (delta.text !== '') out.push({ type: 'delta', delta });
  }

  /** To be called for each event. Throws `ProviderError` if the first events are of the other API, rather than read it to the end. */
  protected checkApi(isOwn: boolean, other: 'chat' | 'responses' | undefined): void {
    this.#hasEvents = true;
    if (isOwn) this.#hasOwnEvents = true;
    else if (other !== undefined && !this.#hasOwnEvents) throw protocolError(`speaks_${other}`);
  }

  /** Throws `ProviderError` if the response is complete but has neither text nor refusal nor tool call. */
  protected emitFinish(finish: ModelFinish, out: ModelEvent[]): void {
    if (finish.status === 'completed' && !this.#hasOutput) throw new ProviderError(modelFailure('empty_response'));
    this.hasFinish = true;
    out.push({ type: 'finish', finish });
  }
}

/** The data of an event. Throws `ProviderError` if it is no JSON object. */
export function parseJsonObject(data: string): JsonRecord {
  const json = asRecord(parseJson(data));
  if (json === undefined) throw protocolError('broken_json');
  return json;
}
