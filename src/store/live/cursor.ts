/** One who follows a turn: a position in its journal, and nothing more. It pulls; while it does not, nothing is kept for it (T12). */
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { JournalFollower } from '../ports/journal.ts';
import type { JournalBroker } from './broker.ts';
import type { JournalChannel } from './channel.ts';
import type { Follower } from './wave.ts';

type Step = IteratorResult<readonly JournalRow[], undefined>;

const end: Step = { done: true, value: undefined };

/**
 * See `JournalStore.follow`. By hand, not a generator: with a thousand viewers each promise more is felt, and a row that
 * is handed on from memory costs each of them one.
 */
export class JournalCursor implements AsyncIterableIterator<readonly JournalRow[], undefined>, JournalFollower, Follower {
  readonly wantsRows = true;
  readonly #broker: JournalBroker;
  readonly #turn: string;
  readonly #signal: AbortSignal;
  readonly #onEnd: (() => void) | undefined;
  #position: number;
  #taken: number;
  #channel: JournalChannel | undefined;
  #hasEnded = false;
  #isReading = false;
  #waiting: PromiseWithResolvers<Step> | undefined;

  constructor(broker: JournalBroker, turn: string, after: number, signal: AbortSignal, onEnd?: () => void) {
    this.#broker = broker;
    this.#turn = turn;
    this.#position = after;
    this.#taken = after;
    this.#signal = signal;
    this.#onEnd = onEnd;
  }

  get taken(): number {
    return this.#taken;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** One at a time, as `for await` calls it. */
  next(): Promise<Step> {
    this.#taken = this.#position;
    if (this.#waiting !== undefined) return Promise.reject(new Error('next() was called before the one before it was answered'));
    try {
      const step = this.#step();
      if (step !== undefined) return Promise.resolve(step);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  async return(): Promise<Step> {
    this.#leave();
    return end;
  }

  wake(): void {
    if (this.#waiting === undefined) return;
    try {
      const step = this.#step();
      if (step !== undefined) this.#settle().resolve(step);
    } catch (error) {
      this.#settle().reject(error);
    }
  }

  /** What is there now; undefined when it is to be waited for. */
  #step(): Step | undefined {
    if (this.#hasEnded) return end;
    try {
      const step = this.#signal.aborted ? end : this.#take(this.#channel ?? this.#join());
      if (step?.done === true) this.#leave();
      return step;
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  #take(channel: JournalChannel): Step | undefined {
    if (channel.failure !== undefined && !channel.isSealed) throw channel.failure;
    if (this.#isReading || channel.last === undefined) return undefined;
    if (this.#position >= channel.last) return channel.isSealed ? end : undefined;
    const rows = channel.batchAfter(this.#position);
    if (rows !== undefined) return this.#handOut(rows);
    void this.#read(channel);
    return undefined;
  }

  /** Answers whoever waits, unless that was answered meanwhile: the signal aborted, the store was closed. */
  async #read(channel: JournalChannel): Promise<void> {
    this.#isReading = true;
    try {
      const rows = await channel.readAfter(this.#position, () => !this.#hasEnded);
      if (rows !== undefined && !this.#hasEnded) this.#settle().resolve(this.#handOut(rows));
    } catch (error) {
      if (this.#hasEnded) return;
      this.#leave();
      this.#settle().reject(error);
    } finally {
      this.#isReading = false;
    }
  }

  #handOut(rows: readonly JournalRow[]): Step {
    this.#position = rows.at(-1)?.seq ?? this.#position;
    return { done: false, value: rows };
  }

  #settle(): PromiseWithResolvers<Step> {
    const waiting = this.#waiting;
    if (waiting === undefined) throw new Error('nobody waits for this step');
    this.#waiting = undefined;
    return waiting;
  }

  #join(): JournalChannel {
    this.#channel = this.#broker.join(this.#turn, this);
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    return this.#channel;
  }

  /** Whoever still holds this cursor holds no rows by it. */
  #leave(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel !== undefined) this.#broker.leave(channel, this);
    this.#onEnd?.();
  }

  readonly #onAbort = (): void => {
    this.wake();
    this.#leave();
  };
}
