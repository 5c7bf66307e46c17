/**
 * Writes one attempt's answer into the journal: the first delta at once and durably, before anybody sees it (T2), later
 * ones as they come, merged only where they come faster than one in `mergeMs`.
 *
 * Writes happen one after the other. From the first write that the journal refuses (T7), each throws `FencedError`.
 */
import type { ModelDelta } from '../../domain/model.ts';
import { startsStep } from '../../domain/model.ts';
import { makerOf } from '../../domain/response/hidden-reasoning.ts';
import { type JournalRow, journalRowOf } from '../../domain/response/response-event.ts';
import type { ResponseStream } from '../../domain/response/response-stream.ts';
import type { TurnOutcome } from '../../domain/turn/turn-outcome.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { sealOf } from '../../settle/seal.ts';
import type { AttemptEnd, AttemptKey } from '../../domain/turn/attempt.ts';
import type { NewToolCall } from '../../domain/agents/tool-call.ts';
import { callBegun } from '../../domain/response/worker-call-events.ts';
import type { WorkerCall } from '../../domain/agents/worker-call.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Append, SealResult, Store } from '../../store/ports/store.ts';
import type { AbortReason } from './abort-reason.ts';
import { bytesOf, bytesOfBeginning, fieldsOf } from './delta-bytes.ts';
import { mergeInto } from './merge-deltas.ts';
import type { Tape } from './tape.ts';

export class FencedError extends Error {
  override readonly name = 'FencedError';
}

type EndedStep = Awaited<ReturnType<Store['endStep']>>;

export interface JournalWriterOptions {
  readonly store: Store;
  readonly turn: TurnRow;
  readonly epoch: number;
  readonly attempt: AttemptKey;
  readonly stream: ResponseStream;
  /** The turn's calls of workers' tools before this step. */
  readonly callsBefore: number;
  /** What the steps before this one have come to, of `maxOutputBytes`. */
  readonly bytesBefore: number;
  /** Of all text of the answer. */
  readonly maxOutputBytes: number;
  /** The attempt has shown something before, by another process. */
  readonly hasStarted?: boolean;
  readonly tape: Tape;
  /** Called when a write fails that the timer has begun, between two calls of the owner, and when the answer is too large. */
  readonly abort: (reason: AbortReason, cause?: unknown) => void;
}

export class JournalWriter {
  readonly #options: JournalWriterOptions;
  #pending: ModelDelta[] = [];
  /** Made already, and not written yet; before what is pending. */
  #shown: JournalRow[] = [];
  #hasStarted = false;
  #providerRequestId: string | undefined;
  #outputBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isSteered = false;
  /** The calls and passed-on items that have been begun. */
  readonly #begun = new Set<string>();
  /** What was said last, of which more may follow. */
  #open = '';

  constructor(options: JournalWriterOptions) {
    this.#options = options;
    this.#outputBytes = options.bytesBefore;
    this.#hasStarted = options.hasStarted === true;
  }

  /** Has this attempt shown anything? */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** Is there no room for another word? */
  get isFull(): boolean {
    return this.#outputBytes > this.#options.maxOutputBytes;
  }

  set providerRequestId(id: string) {
    this.#providerRequestId = id;
  }

  /** Resolves once the delta is committed, or waits to be merged with others. */
  async write(delta: ModelDelta): Promise<void> {
    if (!startsStep(delta) && !this.#isKept(delta)) return;
    if (this.#isSteered && (await this.#endIfWhole(delta))) return;
    this.#outputBytes += bytesOf(delta) + (this.#beginsItem(delta) ? bytesOfBeginning(delta) : 0);
    if (this.#outputBytes > this.#options.maxOutputBytes) {
      this.#options.abort('output_too_large');
      return;
    }
    mergeInto(this.#pending, delta);
    const { tape } = this.#options;
    tape.merged();
    // Encrypted reasoning waits for a delta that starts the step, however long that takes.
    if (!this.#hasStarted && !startsStep(delta)) return;
    const dueInMs = tape.dueInMs();
    const flush = async (): Promise<void> => this.#flush({ isStart: false, isTimed: true });
    if (!this.#hasStarted || dueInMs <= 0) await flush();
    else if (dueInMs < Number.POSITIVE_INFINITY) this.#timer ??= setTimeout(() => void flush().catch(this.#onFailure), dueInMs);
  }

  /** A piece of a call that is shown once it is whole: it starts the step all the same, before anything comes of it (T2). */
  async hold(delta: ModelDelta): Promise<void> {
    this.#outputBytes += bytesOf(delta) + (this.#beginsItem(delta) ? bytesOfBeginning(delta) : 0);
    if (this.#outputBytes > this.#options.maxOutputBytes) {
      this.#options.abort('output_too_large');
      return;
    }
    if (!this.#hasStarted && startsStep(delta)) await this.#flush({ isStart: true });
    else if (this.#options.tape.isLong) {
      this.#writing = this.#writing.then(() => this.#append({ rows: [] }));
      await this.#writing;
    }
  }

  /** Shows what stands alone, with the next write. */
  show(make: Parameters<ResponseStream['show']>[0]): void {
    const before = this.#takePending();
    this.#shown = [...before, ...this.#options.stream.show(make).map(journalRowOf)];
  }

  /** Ends the step, which the next one follows: `calls` are to be carried out before its request. */
  async endStep({ calls, isLast, end }: { calls: readonly WorkerCall[]; isLast: boolean; end: AttemptEnd }): Promise<EndedStep> {
    const { store, turn, stream, epoch, attempt, callsBefore, tape } = this.#options;
    await this.#writing;
    clearTimeout(this.#timer);
    const before = [...this.#takePending(), ...stream.endStep().map(journalRowOf)];
    const first = stream.output.length;
    const begun = stream.show((output) => calls.flatMap((call, index) => callBegun(output, call, first + index)));
    const rows = [...before, ...begun.map(journalRowOf)];
    const booked = calls.map((call, index): NewToolCall => ({ ...call, number: callsBefore + index, position: first + index }));
    const hidden = stream.hidden.take(makerOf(turn.settings));
    const whole = { ...attempt, end: { ...end, recording: tape.end() } };
    const stepEnd = { turn: turn.id, epoch, rows, attempt: whole, calls: booked, isLast, hidden };
    const result = await retryWhileBusy(() => store.endStep(stepEnd));
    if (result === 'cancel_requested') tape.cancelRequested();
    return result;
  }

  /** The user has said more: the answer ends at the next place where nothing is torn, which may be here. */
  steer(): void {
    if (this.#isSteered) return;
    this.#isSteered = true;
    this.#endIfWhole().catch(this.#onFailure);
  }

  /** Commits the deltas that wait. */
  async flush(): Promise<void> {
    await this.#flush({ isStart: false });
  }

  /**
   * @param isStart the step starts with this, also where nothing is shown yet
   * @param isTimed it was due by the clock
   */
  async #flush({ isStart, isTimed = false }: { readonly isStart: boolean; readonly isTimed?: boolean }): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(async () => {
      const rows = this.#takePending();
      if (rows.length === 0 && !isStart) return;
      this.#options.tape.flushed(isTimed);
      await this.#append(this.#hasStarted ? { rows } : { rows, starts: this.#start() });
      this.#hasStarted = true;
    });
    await this.#writing;
  }

  /** Writes the one end of the turn (T6), after the deltas that wait: both in one commit, but for the delta that starts the step. */
  async seal(outcome: TurnOutcome, attemptEnd: AttemptEnd): Promise<SealResult> {
    if (this.#hasStarted) await this.#writing;
    else await this.flush();
    clearTimeout(this.#timer);
    const { store, turn, stream, epoch, attempt, tape } = this.#options;
    const rest = this.#takePending();
    const seal = sealOf(turn, stream, epoch, outcome, tape.reading(Date.now()));
    const end = { ...attemptEnd, recording: tape.end() };
    const whole = { ...seal, rows: [...rest, ...seal.rows], attempt: { ...attempt, end } };
    const result = await retryWhileBusy(() => store.seal(whole));
    // The end will be another, and what the model said stays (T5).
    if (result.type !== 'cancel_requested') return result;
    tape.cancelRequested();
    if (rest.length > 0) await this.#append({ rows: rest });
    return result;
  }

  /** What has been recorded, where nobody goes on with it here. */
  async keepRecording(): Promise<void> {
    await this.#writing;
    const recording = this.#options.tape.end();
    if (recording.length > 0) await this.#append({ rows: [] }, recording);
  }

  /** Drops the deltas that wait: nothing is written any more. */
  abandon(): void {
    clearTimeout(this.#timer);
    this.#pending = [];
  }

  /** The events of the deltas that wait, as rows: whoever takes them writes them. */
  #takePending(): JournalRow[] {
    const [pending, shown] = [this.#pending, this.#shown];
    this.#pending = [];
    this.#shown = [];
    return [...shown, ...pending.flatMap((delta) => this.#options.stream.write(delta)).map(journalRowOf)];
  }

  /** Encrypted reasoning is stored only for a client that asked for it, and for the steps that follow. */
  #isKept(delta: ModelDelta): boolean {
    if (fieldsOf(delta) !== undefined || delta.type === 'message' || delta.type === 'annotation') return true;
    const { sealsFields, hidden } = this.#options.stream;
    return delta.type === 'encrypted_reasoning' && (sealsFields || hidden.isHiding);
  }

  /** There may be any number of items without a text, or with next to none, so each counts. */
  #beginsItem(delta: ModelDelta): boolean {
    if (delta.type === 'annotation') return false;
    const key = `${delta.type} ${delta.item ?? ''}`;
    if (delta.type === 'tool_call' || delta.type === 'opaque') {
      if (this.#begun.has(key)) return false;
      this.#begun.add(key);
    } else if (key === this.#open && delta.text !== '' && delta.type !== 'encrypted_reasoning') {
      return false;
    }
    this.#open = key;
    return true;
  }

  async #endIfWhole(next?: ModelDelta): Promise<boolean> {
    // What waits belongs to what is said already.
    await this.flush();
    if (this.#options.stream.isTornBefore(next)) return false;
    this.#options.abort('steered');
    return true;
  }

  readonly #onFailure = (error: unknown): void => {
    this.#options.abort(error instanceof FencedError ? 'fenced' : 'store_failed', error);
  };

  #start(): NonNullable<Append['starts']> {
    const id = this.#providerRequestId;
    return { ...this.#options.attempt, ...(id === undefined ? {} : { providerRequestId: id }) };
  }

  async #append(append: Pick<Append, 'rows' | 'starts'>, recording = this.#options.tape.take(append.starts !== undefined)): Promise<void> {
    const { store, turn, epoch } = this.#options;
    const whole = { turn: turn.id, epoch, ...append, ...(recording.length === 0 ? {} : { recording }) };
    const isAccepted = await retryWhileBusy(() => store.append(whole));
    if (!isAccepted) throw new FencedError('the turn was taken over');
  }
}
