/**
 * The answer of a model as it comes in: what both APIs have in common. A dialect reads events, and says what they
 * show (`show`) and prove (`prove`). No I/O: the same events give the same pieces.
 */
import type { ModelDelta, ModelEvent, ModelFinish } from '../../domain/model.ts';
import { startsStep } from '../../domain/model.ts';
import type { Usage } from '../../domain/response.ts';
import { asRecord, type JsonRecord, parsedOrUndefined } from '../json.ts';
import { modelFailure } from '../failures/model-failure.ts';
import { ProviderError } from '../provider.ts';
import { notThisApi, type SseEvent } from '../http/sse.ts';

export abstract class StreamParser {
  /** Has anything been shown? From then on nothing is asked again (T2). */
  hasStarted = false;
  /** Has the provider proved the end (T8)? From then on the wire changes nothing. */
  hasProof = false;
  /** Nothing more is to be read. */
  isOver = false;
  usage: Usage | undefined;
  /** Events came, and none of them was of this API: asking again cannot help. */
  get isForeign(): boolean {
    return this.#hasEvents && !this.#hasOwnEvents;
  }
  #hasOwnEvents = false;
  #hasEvents = false;
  #hasOutput = false;

  /** Appends what the event shows or proves. Throws `ProviderError`; what was appended before stays valid. */
  abstract read(event: SseEvent, out: ModelEvent[]): void;

  protected show(delta: ModelDelta, out: ModelEvent[]): void {
    if (!startsStep(delta)) return;
    this.hasStarted = true;
    if (delta.type !== 'reasoning') this.#hasOutput = true;
    out.push({ type: 'delta', delta });
  }

  /** Starts nothing and is no output: only the provider can read it. */
  protected keep(delta: ModelDelta & { readonly type: 'encrypted_reasoning' }, out: ModelEvent[]): void {
    if (delta.text !== '') out.push({ type: 'delta', delta });
  }

  /** Counts an event. Throws `ProviderError` at once where it is of the other API: a whole answer of that proves nothing here. */
  protected meet(isOwn: boolean, other: 'chat' | 'responses' | undefined): void {
    this.#hasEvents = true;
    if (isOwn) this.#hasOwnEvents = true;
    else if (other !== undefined && !this.#hasOwnEvents) throw notThisApi(`speaks_${other}`);
  }

  protected prove(proof: ModelFinish, out: ModelEvent[]): void {
    if (proof.status === 'completed' && !this.#hasOutput) throw new ProviderError(modelFailure('empty_response'));
    this.hasProof = true;
    out.push({ type: 'proof', proof });
  }
}

export function jsonOf(data: string): JsonRecord {
  const json = asRecord(parsedOrUndefined(data));
  if (json === undefined) throw notThisApi('broken_json');
  return json;
}
