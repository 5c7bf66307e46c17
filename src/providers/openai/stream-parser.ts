/**
 * The base of both APIs' parsers: reads the events of one stream into `ModelEvent`s. No I/O: the same events give the
 * same deltas. `stream-response.ts` drives it.
 */
import { longestCallName } from '../../domain/item.ts';
import type { ModelDelta, ModelEvent, ModelFinish } from '../../domain/model.ts';
import { startsStep } from '../../domain/model.ts';
import type { Usage } from '../../domain/response/response.ts';
import { failureOfStreamError, failureOfWords, readErrorBody, statesError } from '../failures/error-body.ts';
import { modelFailure, protocolError } from '../failures/model-failure.ts';
import type { SseEvent } from '../http/sse.ts';
import { asArray, asRecord, asText, type JsonRecord, parseJson } from '../json.ts';
import { defaultMaxOutputBytes, ProviderError } from '../provider.ts';
import { CallArguments } from './call-arguments.ts';
import { WholeCharacters, wholeIn } from './whole-characters.ts';

export abstract class StreamParser {
  /**
   * Whether the provider has said how the response ended, and nothing more has come since (T8). What happens to the connection
   * after that is ignored.
   */
  hasFinish = false;
  /** Whether content came after a finish: the word stands behind every chunk, and only the end of the stream ends this one. */
  goesOnAfterFinish = false;
  /** Whether the rest of the stream is of no interest: finish and usage have come, or `[DONE]`. */
  isOver = false;
  usage: Usage | undefined;
  /** The tier that served the request, if the provider said so. */
  serviceTier: string | undefined;
  /** Whether events came, but none of this API: a retry cannot help. */
  get isForeign(): boolean {
    return this.#hasEvents && !this.#hasOwnEvents;
  }
  #hasOwnEvents = false;
  #hasEvents = false;
  #hasOutput = false;
  #hasProgress = false;
  /** The last one that was appended. */
  #finish: ModelFinish | undefined;
  readonly #characters = new WholeCharacters();
  readonly #arguments = new CallArguments();
  readonly #maxHeld: number;
  #held = 0;

  /** @param maxHeld in characters: `ProviderLimits.maxOutputBytes` */
  constructor(maxHeld = defaultMaxOutputBytes) {
    this.#maxHeld = maxHeld;
  }

  /** Appends the event's deltas, or finish, to `out`. Throws `ProviderError`; what was appended before that stays valid. */
  read(event: SseEvent, out: ModelEvent[]): void {
    const { data, event: name } = event;
    if (data === '[DONE]') {
      this.isOver = true;
      return;
    }
    if (name !== undefined && heartbeat.test(name)) return;
    const body = asRecord(parseJson(data)) ?? this.#readOdd(event);
    if (body === undefined) return;
    if (name === 'error' || statesError(body)) throw new ProviderError(failureOfStreamError(readErrorBody(body)));
    this.readBody(body, name, out);
  }

  /**
   * To be called once, after the last event: appends what was held back, and the finish if it was stated. Throws `ProviderError`
   * where the stated end is not proved by what came: no output, or calls that cannot be read.
   *
   * @param isWhole the stream has ended properly: what came behind a finish reason belongs to the answer
   */
  end(isWhole: boolean, out: ModelEvent[]): void {
    // A call that was held back behind the finish takes it back, if the stream breaks.
    if (!isWhole) this.release(out);
    const isProved = isWhole || !this.goesOnAfterFinish;
    this.hasFinish &&= isProved;
    const finish = isProved ? (this.statedFinish(isWhole) ?? (this.hasFinish ? this.#finish : undefined)) : undefined;
    if (isWhole) this.release(out);
    for (const delta of this.#characters.end()) this.#push(delta, out);
    if (finish === undefined) {
      this.#endArguments(false, out);
      if (isWhole) this.requireFit();
      return;
    }
    try {
      this.complete(finish, out);
    } catch (error) {
      this.#endArguments(false, out);
      // What came behind the finish and fits nothing takes its proof away.
      this.hasFinish = false;
      throw error;
    }
    if (!this.hasFinish) this.emitFinish(finish, out);
  }

  protected abstract readBody(body: JsonRecord, name: string | undefined, out: ModelEvent[]): void;

  /**
   * Whether all that is missing is usage, for which 2 s are enough. Where content came after a finish it is not: such a server states one before each of the
   * model's pauses, and only the idle limit tells a pause from the end.
   */
  get isStated(): boolean {
    return this.hasFinish && !this.goesOnAfterFinish;
  }

  /** The finish as it stands at the end of the stream. The Responses API states it once, and last. */
  protected statedFinish(_isWhole: boolean): ModelFinish | undefined {
    return undefined;
  }

  /** Appends what was held back for a piece that did not come. Also to be called where the stream is given up. */
  release(_out: ModelEvent[]): void {}

  /** Throws `ProviderError` for pieces that fit nothing, where a stream ends properly without having stated an end. */
  protected requireFit(): void {}

  /** Appends what a proved end leaves to be understood. Throws `ProviderError` if what came is no whole answer, although its end was stated. */
  protected complete(_finish: ModelFinish, _out: ModelEvent[]): void {}

  /** Appends a delta, unless it is empty. Half a character waits for its other half. */
  protected emitDelta(delta: ModelDelta, out: ModelEvent[]): void {
    const whole = this.#characters.isWhole(delta) ? delta : this.#characters.join(delta);
    if (!startsStep(whole)) return;
    if (whole.type === 'tool_call' && Math.max(whole.callId.length, whole.name.length) > longestCallName)
      throw protocolError('call_id_too_long');
    const read = whole.type === 'tool_call' && whole.isCustom !== true ? this.#arguments.read(whole) : whole;
    if (read.text !== whole.text) this.hold(whole.text.length);
    this.#push(read, out);
  }

  /** Appends fields of the provider's own without a text: no output, and nothing that a finish would have to come after. */
  protected emitFields(delta: ModelDelta & { readonly type: 'reasoning' | 'tool_call'; readonly text: '' }, out: ModelEvent[]): void {
    out.push({ type: 'delta', delta: wholeIn(delta) });
  }

  #endArguments(isProved: boolean, out: ModelEvent[]): void {
    for (const delta of this.#arguments.end(isProved)) this.#push(delta, out);
  }

  #push(delta: ModelDelta, out: ModelEvent[]): void {
    if (delta.type !== 'reasoning') this.#hasOutput = true;
    if (this.#finish !== undefined) this.takeFinishBack();
    out.push({ type: 'delta', delta: wholeIn(delta) });
  }

  /**
   * To be called for what is kept, and shows nothing yet: nobody else counts it (T14). Throws `ProviderError` `output_too_large`.
   * @param chars of it, and what an entry of a list takes
   */
  protected hold(chars: number): void {
    this.#held += chars;
    if (this.#held > this.#maxHeld) throw new ProviderError(modelFailure('output_too_large', { detail: 'not_shown' }));
  }

  /** To be called for a piece of the answer that is kept until it may be shown: one that says something is as good as one that is shown. */
  protected keepWaiting(chars: number, isProgress: boolean): void {
    this.hold(chars);
    this.#hasProgress ||= isProgress;
  }

  /** Whether a piece of the answer has come, since this was last asked, that waits to be shown. */
  takeProgress(): boolean {
    const hadProgress = this.#hasProgress;
    this.#hasProgress = false;
    return hadProgress;
  }

  /** More came behind the finish: from here on only the proper end of the stream proves one. */
  protected takeFinishBack(): void {
    this.hasFinish = false;
    this.goesOnAfterFinish = true;
  }

  /** To be called for each event. Throws `ProviderError` if the first events are of the other API, rather than read it to the end. */
  protected checkApi(isOwn: boolean, other: 'chat' | 'responses' | undefined): void {
    this.#hasEvents = true;
    if (isOwn) this.#hasOwnEvents = true;
    else if (other !== undefined && !this.#hasOwnEvents) throw protocolError(`speaks_${other}`);
  }

  /** Whether there is text, refusal or a tool call. */
  protected get hasOutput(): boolean {
    return this.#hasOutput;
  }

  /** Throws `ProviderError` if the response is complete but has neither text nor refusal nor tool call. */
  protected emitFinish(finish: ModelFinish, out: ModelEvent[]): void {
    if (finish.status === 'completed' && !this.#hasOutput) throw new ProviderError(modelFailure('empty_response'));
    this.#endArguments(finish.status === 'completed', out);
    this.hasFinish = true;
    this.#finish = finish;
    out.push({ type: 'finish', finish });
  }

  /** Data that is no JSON object: a heartbeat, Google's list of one, an error in plain words, or broken. */
  #readOdd({ event: name, data }: SseEvent): JsonRecord | undefined {
    const words = data.trim();
    if (words === '[DONE]' || words === '"[DONE]"') {
      this.isOver = true;
      return undefined;
    }
    if (name !== 'error' && (words === '' || heartbeat.test(words))) return undefined;
    const json = parseJson(words);
    if (json === null) return undefined;
    const list = asArray(json);
    const only = list.length === 1 ? asRecord(list[0]) : undefined;
    if (only !== undefined) return only;
    const marked = json === undefined ? /^\[error\][:\s]*(.+)/is.exec(words)?.[1] : undefined;
    if (marked !== undefined) throw new ProviderError(failureOfStreamError(readErrorBody({ message: marked })));
    const isPlain = asText(json) !== undefined || (json === undefined && !/^[[{"]/.test(words));
    const said = asText(json) ?? words;
    if (name === 'error') throw new ProviderError(failureOfStreamError(readErrorBody({ message: said })));
    const known = isPlain ? failureOfWords(said) : undefined;
    throw known === undefined ? protocolError('broken_json', isPlain ? said : undefined) : new ProviderError(known);
  }
}

/** Names of events, and data, that only keep a connection alive. */
const heartbeat = /^\W*(?:ping|pong|heartbeat|keep[-_ ]?alive|: ?[\w ]+ processing)\W*$/i;
