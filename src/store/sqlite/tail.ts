/**
 * Wakes those who wait for a turn's next event: at once when this process wrote it, within `pollMs` when
 * another did. Nobody is polled for while nobody waits, and a poll is one PRAGMA (2.7 us).
 */
import type { JournalRow } from '../../domain/response-event.ts';
import type { Database } from './database.ts';

const pollMs = 5;

interface Waiter {
  readonly after: number;
  readonly wake: (rows?: readonly JournalRow[]) => void;
}

export class Tail {
  readonly #db: Database;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #timer: NodeJS.Timeout | undefined;
  #seenVersion = Number.NaN;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Resolves once the turn has an event after `after`, or is sealed; or at abort. May also resolve early.
   * With the very next rows where this process has just written them: these need not be read again.
   */
  async next(turn: string, after: number, signal: AbortSignal): Promise<readonly JournalRow[] | undefined> {
    if (signal.aborted || this.#hasNews(turn, after)) return undefined;
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(turn) ?? new Set<Waiter>();
      const waiter: Waiter = {
        after,
        wake: (rows) => {
          waiters.delete(waiter);
          if (waiters.size === 0 && this.#waiters.get(turn) === waiters) this.#waiters.delete(turn);
          signal.removeEventListener('abort', leave);
          resolve(rows?.[0]?.seq === after + 1 ? rows : undefined);
        },
      };
      const leave = (): void => {
        waiter.wake();
      };
      waiters.add(waiter);
      this.#waiters.set(turn, waiters);
      signal.addEventListener('abort', leave, { once: true });
      this.#startPolling();
    });
  }

  /** This process has written to the turn. */
  announce(turn: string, rows: readonly JournalRow[]): void {
    for (const waiter of this.#waiters.get(turn) ?? []) waiter.wake(rows);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.wake();
  }

  #hasNews(turn: string, after: number): boolean {
    const head = this.#db.one('SELECT next_seq, sealed FROM journal_head WHERE turn = ?', turn);
    return head === undefined || Number(head['next_seq']) > after + 1 || head['sealed'] === 1;
  }

  #startPolling(): void {
    if (this.#timer !== undefined) return;
    // Whatever was written between a waiter's own look and now must count as new.
    this.#seenVersion = Number.NaN;
    this.#timer = setInterval(() => {
      try {
        this.#poll();
      } catch {
        // Whoever waits reads for himself, and meets the trouble where it can be reported.
        this.#seenVersion = Number.NaN;
        for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.wake();
      }
    }, pollMs);
    this.#timer.unref();
  }

  #poll(): void {
    if (this.#waiters.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const version = this.#db.foreignVersion();
    if (version === this.#seenVersion) return;
    this.#seenVersion = version;
    for (const [turn, waiters] of this.#waiters) {
      for (const waiter of waiters) if (this.#hasNews(turn, waiter.after)) waiter.wake();
    }
  }
}
