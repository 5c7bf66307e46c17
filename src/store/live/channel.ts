/**
 * What one process knows of the newest of one turn's journal, and who follows it: rows are read (or written) once
 * and handed to all who have come that far. Whoever is further behind reads for itself, at its own pace (T12).
 */
import type { JournalRow } from '../../domain/response-event.ts';
import { JournalGoneError } from '../ports/store.ts';

/** Batches kept for those whose socket was busy for a moment: from memory, not from the database. */
const keptBatches = 16;

export interface ChannelHead {
  /** The last row's number; -1 without any. */
  readonly last: number;
  readonly isSealed: boolean;
}

/**
 * **Contract.** `wake` is called whenever the feed has changed, also in the midst of somebody's write: it must not
 * throw, and not call the feed's owner back.
 */
export interface Follower {
  wake(): void;
}

export class JournalChannel {
  readonly followers = new Set<Follower>();
  readonly turn: string;
  #last: number;
  #isSealed: boolean;
  #failure: Error | undefined;
  /** Of the newest batches those that were in memory anyway. */
  readonly #newest: (readonly JournalRow[])[] = [];

  /** Throws `JournalGoneError` without a head. */
  constructor(turn: string, head: ChannelHead | undefined) {
    if (head === undefined) throw new JournalGoneError(turn);
    this.turn = turn;
    this.#last = head.last;
    this.#isSealed = head.isSealed;
  }

  get last(): number {
    return this.#last;
  }

  /** Behind `last` nothing comes any more. */
  get isSealed(): boolean {
    return this.#isSealed;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  /** The same array for all who ask for it: what is made of it once serves them all. */
  after(seq: number): readonly JournalRow[] | undefined {
    return this.#newest.findLast((batch) => batch[0]?.seq === seq + 1);
  }

  /** `rows` are committed. False, and nothing changed, when others have come before them that this process has not seen. */
  push(rows: readonly JournalRow[], isSealed: boolean): boolean {
    const [first] = rows;
    if (first !== undefined && first.seq !== this.#last + 1) return false;
    this.#isSealed ||= isSealed;
    if (first !== undefined) {
      this.#last += rows.length;
      this.#newest.push(rows);
      if (this.#newest.length > keptBatches) this.#newest.shift();
    }
    this.#wakeAll();
    return true;
  }

  /** The journal has come further than can be handed on from memory. */
  skip(head: ChannelHead): void {
    this.#last = head.last;
    this.#isSealed = head.isSealed;
    this.#wakeAll();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const follower of this.followers) follower.wake();
  }
}
