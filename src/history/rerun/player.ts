/**
 * Plays the recording of one run of an attempt: the same answer, cut at the same places, given up where and as it was, by a clock
 * that reads what it read. It is the attempt's tape, and the connection's hand.
 */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { AbortReason } from '../../activities/attempt/abort-reason.ts';
import type { Tape } from '../../activities/attempt/tape.ts';
import type { Spending } from '../../domain/turn/budget.ts';
import type { AnswerPlace, RecordingEntry, RecordingPart } from '../../domain/turn/recording.ts';
import type { WireTap } from '../../providers/provider.ts';
import type { RecordedRun } from '../../store/recordings/decode.ts';

type Entry<T extends RecordingEntry['type']> = Extract<RecordingEntry, { readonly type: T }>;

export interface PlayerOptions {
  readonly run: RecordedRun;
  readonly abort: (reason: AbortReason, cause?: unknown) => void;
  readonly steer: () => void;
  /** See `Tape.callEnds`. */
  readonly callEnds?: (place: number) => Promise<void>;
}

/** Given up from outside: what ends an attempt by itself does so again. */
const fromOutside: ReadonlySet<string> = new Set<AbortReason>(['cancelled', 'shutdown', 'deadline', 'store_failed']);

/** So many turns of the event loop without anything new, and nothing comes any more. */
export const quietTurns = 12;

export class Player implements Tape {
  readonly isLong = false;
  readonly #options: PlayerOptions;
  readonly #flushes: AnswerPlace[];
  readonly #steers: Entry<'steer'>[];
  readonly #readings: number[];
  readonly #abort: Entry<'abort'> | undefined;
  readonly #lost = Promise.withResolvers<'lost'>();
  #chunk = 0;
  #deltas = 0;
  #isWriting = false;
  #mergedChunk = 0;
  #merged = 0;
  /** Bytes of the answer that have been read. */
  #bytes = 0;

  constructor(options: PlayerOptions) {
    this.#options = options;
    const all = <T extends RecordingEntry['type']>(type: T) =>
      options.run.entries.filter((entry): entry is Entry<T> => entry.type === type);
    this.#flushes = all('flush');
    this.#steers = all('steer');
    this.#readings = all('clock').map(({ ms }) => ms);
    this.#abort = all('abort').find(({ reason, cause }) => fromOutside.has(reason) || isWallTime(cause));
  }

  /** Of the answer, so far. */
  get bytesRead(): number {
    return this.#bytes;
  }

  /** Resolves once all that was recorded of a run has been played whose process was lost then. */
  get lost(): Promise<'lost'> {
    return this.#lost.promise;
  }

  /** The end of the attempt was refused, since a cancel had been accepted. */
  get wasCancelled(): boolean {
    return this.#has('cancel_requested');
  }

  readonly wire: WireTap = {
    requested: () => undefined,
    headed: () => undefined,
    read: (chunk) => {
      this.#bytes += chunk.length;
      this.#next();
    },
    ended: () => undefined,
  };

  asked(): void {}

  spending(spending: Spending | undefined): Spending | undefined {
    const recorded = this.#options.run.entries.find((entry) => entry.type === 'spending');
    return recorded === undefined ? spending : (recorded.spending as Spending);
  }

  event(): void {
    if (this.isOfAnswers) this.#next();
  }

  failed(): void {}

  taken(): void {
    this.#deltas += 1;
    this.#isWriting = true;
    if (this.#abort !== undefined && this.#isInWrite(this.#abort)) this.#giveUp();
  }

  written(): void {
    this.#isWriting = false;
  }

  merged(): void {
    if (this.#mergedChunk !== this.#chunk) this.#merged = 0;
    this.#mergedChunk = this.#chunk;
    this.#merged += 1;
    this.#steerInWrite();
  }

  dueInMs(): number {
    let isDue = false;
    for (let next = this.#flushes[0]; next !== undefined && this.#isPast(next); next = this.#flushes[0]) {
      this.#flushes.shift();
      isDue = true;
    }
    return isDue ? 0 : Number.POSITIVE_INFINITY;
  }

  flushed(): void {
    this.#steerInWrite();
  }

  reading(ms: number): number {
    return this.#readings.shift() ?? ms;
  }

  async callEnds(place: number): Promise<void> {
    await this.#options.callEnds?.(place);
  }

  take(): readonly RecordingPart[] {
    return [];
  }

  end(): readonly RecordingPart[] {
    return [];
  }

  cancelRequested(): void {}

  /** What was read of the answer was recorded, and no bytes. */
  get isOfAnswers(): boolean {
    return this.#options.run.entries.some((entry) => entry.type === 'begin' && entry.mode === 'answers');
  }

  /** Before more of the answer is handed out: what was said while it was waited for. */
  async beforeMore(): Promise<void> {
    if (this.#steer(({ chunk, is_writing: isWriting }) => !isWriting && chunk <= this.#chunk)) await this.quiet();
  }

  /** All that was recorded is handed out; resolves once it has been read, and nothing is being written. */
  async quiet(): Promise<void> {
    for (let turns = 0, chunk = this.#chunk; turns < quietTurns; turns += 1) {
      await nextTurnOfTheLoop();
      if (this.#isWriting || chunk !== this.#chunk) turns = 0;
      chunk = this.#chunk;
    }
  }

  /** Behind all that was recorded: gives the attempt up as it was given up then. False: it was lost with its process. */
  async atEnd(): Promise<boolean> {
    await this.quiet();
    await this.beforeMore();
    if (this.#abort === undefined) this.#lost.resolve('lost');
    else this.#giveUp();
    return this.#abort !== undefined;
  }

  /** While a delta is written: by then it was taken in already, whatever else is said. */
  #steerInWrite(): void {
    this.#steer((steer) => this.#isInWrite(steer));
  }

  #isInWrite({ chunk, deltas, is_writing: isWriting }: Entry<'abort' | 'steer'>): boolean {
    return isWriting && this.#isWriting && chunk === this.#chunk && deltas === this.#deltas;
  }

  #giveUp(): void {
    if (this.#abort !== undefined) this.#options.abort(this.#abort.reason as AbortReason, this.#abort.cause);
  }

  #steer(isHere: (steer: Entry<'steer'>) => boolean): boolean {
    const [next] = this.#steers;
    if (next === undefined || !isHere(next)) return false;
    this.#steers.shift();
    this.#options.steer();
    return true;
  }

  #next(): void {
    this.#chunk += 1;
    this.#deltas = 0;
  }

  #isPast({ chunk, deltas }: AnswerPlace): boolean {
    return chunk < this.#mergedChunk || (chunk === this.#mergedChunk && deltas <= this.#merged);
  }

  #has(type: RecordingEntry['type']): boolean {
    return this.#options.run.entries.some((entry) => entry.type === type);
  }
}

/** The time of a session was over: the one budget that no token uses up. */
function isWallTime(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'limit' in cause && cause.limit === 'wallTimeMs';
}
