/** One who follows a turn: a cursor, and nothing more. It pulls; while it does not, nothing is kept for it (T12). */
import type { JournalRow } from '../../domain/response-event.ts';
import { type JournalFollower, JournalGoneError } from '../ports/store.ts';
import type { Database } from '../sqlite/database.ts';
import type { JournalChannel, Follower } from './channel.ts';
import { readBatch } from '../sqlite/journal-batch.ts';
import type { JournalBroker } from './broker.ts';

type Step = IteratorResult<readonly JournalRow[], undefined>;

const end: Step = { done: true, value: undefined };

/** See `Store.follow`. By hand, not a generator: a wake is one promise, whatever the number of those who follow. */
export class JournalCursor implements AsyncIterableIterator<readonly JournalRow[], undefined>, JournalFollower, Follower {
  readonly #db: Database;
  readonly #tail: JournalBroker;
  readonly #turn: string;
  readonly #signal: AbortSignal;
  #cursor: number;
  #taken: number;
  #feed: JournalChannel | undefined;
  #hasEnded = false;
  #waiting: PromiseWithResolvers<Step> | undefined;

  constructor(db: Database, tail: JournalBroker, turn: string, after: number, signal: AbortSignal) {
    this.#db = db;
    this.#tail = tail;
    this.#turn = turn;
    this.#cursor = after;
    this.#taken = after;
    this.#signal = signal;
  }

  get taken(): number {
    return this.#taken;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** One at a time, as `for await` calls it. Not `async`: with a thousand viewers each promise more is felt. */
  next(): Promise<Step> {
    this.#taken = this.#cursor;
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
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    try {
      const step = this.#step();
      if (step === undefined) return;
      this.#waiting = undefined;
      waiting.resolve(step);
    } catch (error) {
      this.#waiting = undefined;
      waiting.reject(error);
    }
  }

  /** What is there now; undefined when it is to be waited for. */
  #step(): Step | undefined {
    if (this.#hasEnded) return end;
    try {
      const step = this.#signal.aborted ? end : this.#take(this.#feed ?? this.#join());
      if (step?.done === true) this.#leave();
      return step;
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  #take(feed: JournalChannel): Step | undefined {
    if (feed.failure !== undefined && !feed.isSealed) throw feed.failure;
    if (this.#cursor >= feed.last) return feed.isSealed ? end : undefined;
    const value = feed.after(this.#cursor) ?? readBatch(this.#db, this.#turn, this.#cursor);
    const newest = value.at(-1);
    if (newest === undefined || value[0]?.seq !== this.#cursor + 1) throw new JournalGoneError(this.#turn);
    this.#cursor = newest.seq;
    return { done: false, value };
  }

  #join(): JournalChannel {
    this.#feed = this.#tail.join(this.#turn, this);
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    return this.#feed;
  }

  #leave(): void {
    this.#hasEnded = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    if (this.#feed !== undefined) this.#tail.leave(this.#feed, this);
  }

  readonly #onAbort = (): void => {
    this.wake();
    this.#leave();
  };
}
