/** What a driver gives to the live tail: journals to read, and a signal when other processes have written to them. */
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { JournalHead } from '../ports/journal.ts';

/** How much of a journal is read at once: as much as one follower may hold in memory (T12). */
export interface BatchLimits {
  readonly rows: number;
  /** Of the rows' data. The row that reaches it is the last; a single row may be larger. */
  readonly chars: number;
}

export type LiveHead = Pick<JournalHead, 'last' | 'isSealed'>;

/**
 * **Contract.** A read sees at least what was committed, by any process, before it was asked for. Reads may take as long
 * as they like and overtake each other. They reject with `StoreBusyError` when asking again may help, with anything else
 * when it cannot (the store was closed); they never throw.
 */
export interface JournalSource {
  /** By one question. A turn that is not in the answer has no journal (any more). */
  readHeads(turns: readonly string[]): Promise<ReadonlyMap<string, LiveHead>>;

  /** The rows behind `after`, in order, as far as the limits allow: at least one where there is one. */
  readRows(turn: string, after: number, limits: BatchLimits): Promise<readonly JournalRow[]>;
}

/**
 * Notices that other processes have written to journals: SQLite's `data_version`, Postgres' LISTEN.
 *
 * **Contract.** Every row that another process commits after `watch` is followed by a call of `onChange`, within 10 ms
 * where that can be had; a call too many does no harm. A driver that can names the turn, so that a process that follows a
 * thousand looks at the one that was written to. A journal that is dropped need not be signalled. Costs nothing while
 * nobody watches.
 */
export interface ChangeSignal {
  /** Until the function it returns is called. */
  watch(watcher: ChangeWatcher): () => void;
}

/** **Contract.** Neither throws, nor stops the watch it is called by. */
export interface ChangeWatcher {
  /**
   * @param turn whose journal has changed; any may have, without it
   * @param last the number of a row that it has now, where the driver knows: who has that one already need not look
   */
  onChange(turn?: string, last?: number): void;
  /** No change can be noticed any more. */
  onFailure(error: unknown): void;
}
