/**
 * The turns that somebody in this process follows. What this process writes is handed on at once; what another has
 * written is found within `pollMs`, and read once a turn, however many follow it. Nobody is polled for while nobody
 * follows, and a poll is one PRAGMA (2.7 us).
 */
import type { JournalRow } from '../../domain/response-event.ts';
import { JournalGoneError, StoreBusyError } from '../ports/store.ts';
import type { Database } from '../sqlite/database.ts';
import { JournalChannel, type Follower, type ChannelHead } from './channel.ts';
import { followBatchRows, readBatch } from '../sqlite/journal-batch.ts';

const pollMs = 5;
/** Not all that this process does to a journal is announced (such as dropping it): every so often it is looked at anyway. */
const unannouncedMs = 1_000;
const pollsUntilUnannounced = unannouncedMs / pollMs;

export class JournalBroker {
  readonly #db: Database;
  readonly #feeds = new Map<string, JournalChannel>();
  #timer: NodeJS.Timeout | undefined;
  #seenVersion = Number.NaN;
  #polls = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Until `leave`. Throws `JournalGoneError` when there is no such journal. */
  join(turn: string, follower: Follower): JournalChannel {
    let feed = this.#feeds.get(turn);
    if (feed === undefined) {
      feed = new JournalChannel(turn, this.#readHead(turn));
      this.#feeds.set(turn, feed);
      this.#startPolling();
    }
    feed.followers.add(follower);
    return feed;
  }

  leave(feed: JournalChannel, follower: Follower): void {
    feed.followers.delete(follower);
    if (feed.followers.size === 0) this.#drop(feed);
  }

  /** This process has written to the turn. Never throws: what is written is written. */
  announce(turn: string, rows: readonly JournalRow[], isSealed: boolean): void {
    const feed = this.#feeds.get(turn);
    // Another process wrote before us, and has not been seen yet.
    if (feed?.push(rows, isSealed) === false) this.#attempt(() => this.#refresh(feed));
  }

  close(): void {
    for (const feed of this.#feeds.values()) this.#fail(feed, new Error('the store was closed'));
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #startPolling(): void {
    if (this.#timer !== undefined) return;
    // Whatever was written between a follower's own look and now must count as new.
    this.#seenVersion = Number.NaN;
    this.#timer = setInterval(() => {
      if (this.#feeds.size > 0) {
        this.#attempt(() => {
          this.#poll();
        });
      } else {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }, pollMs);
    this.#timer.unref();
  }

  #poll(): void {
    this.#polls = (this.#polls + 1) % pollsUntilUnannounced;
    const version = this.#db.foreignVersion();
    if (version === this.#seenVersion && this.#polls > 0) return;
    for (const feed of this.#feeds.values()) this.#refresh(feed);
    this.#seenVersion = version;
  }

  /** Hands on what the database has of a turn and the feed has not. */
  #refresh(feed: JournalChannel): void {
    if (feed.isSealed) return;
    const { turn, last } = feed;
    const head = this.#readHead(turn);
    if (head === undefined) {
      this.#fail(feed, new JournalGoneError(turn));
    } else if (head.last === last) {
      if (head.isSealed) feed.push([], true);
    } else {
      const rows = head.last - last > followBatchRows ? [] : readBatch(this.#db, turn, last);
      // Too much for one batch, or rows are missing: each reads at its own pace, and meets the trouble itself.
      const isWhole = (rows.at(-1)?.seq ?? last) >= head.last;
      if (!isWhole || !feed.push(rows, head.isSealed)) feed.skip(head);
    }
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#seenVersion = Number.NaN;
      if (error instanceof StoreBusyError) return;
      // No use in looking again: those who wait are told.
      const failure = error instanceof Error ? error : new Error('the database cannot be read', { cause: error });
      for (const feed of this.#feeds.values()) this.#fail(feed, failure);
    }
  }

  #fail(feed: JournalChannel, error: Error): void {
    this.#drop(feed);
    feed.fail(error);
  }

  #drop(feed: JournalChannel): void {
    if (this.#feeds.get(feed.turn) === feed) this.#feeds.delete(feed.turn);
  }

  #readHead(turn: string): ChannelHead | undefined {
    const row = this.#db.one('SELECT next_seq, sealed FROM journal_head WHERE turn = ?', turn);
    return row === undefined ? undefined : { last: Number(row['next_seq']) - 1, isSealed: row['sealed'] === 1 };
  }
}
