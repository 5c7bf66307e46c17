/** The port to the database, one part for each kind of user. `test/store/contract*.ts` is the suite that each driver must pass. */
import type { BreakerStore } from './breakers.ts';
import type { JournalStore } from './journal.ts';
import type { KeptResponseStore } from './kept-responses.ts';
import type { KeyStore } from './keys.ts';
import type { RecordingStore } from './recordings.ts';
import type { RetentionStore } from './retention.ts';
import type { SessionStore } from './sessions.ts';
import type { ToolCallStore } from './tool-calls.ts';
import type { CompletionStore, TurnStore } from './turns.ts';
import type { ViewerStore } from './viewers.ts';
import type { WebhookStore } from './webhooks.ts';

export type * from './breakers.ts';
export type * from './journal.ts';
export type * from './kept-responses.ts';
export type * from './keys.ts';
export type * from './leases.ts';
export type * from './recordings.ts';
export type * from './retention.ts';
export type * from './sessions.ts';
export type * from './tool-calls.ts';
export type * from './turns.ts';
export type * from './viewers.ts';
export type * from './webhooks.ts';

/**
 * **Contract, for every method of every part.** Several processes may use one database at once. A method happens wholly
 * or not at all, also when its process is killed in it. A driver decides nothing: it gathers facts, asks the pure
 * functions of `domain/`, and writes what they say, in one transaction. It must not hold up the process that calls it:
 * what takes long is done in pieces. Methods need no `this`.
 *
 * Times are milliseconds since the epoch. What is called durable is on disk when the promise resolves and survives a
 * loss of power; everything else survives a kill of the process. Rejects with `StoreBusyError` when the database cannot
 * take the call just now; with any other error when it is closed or broken.
 */
export interface Store
  extends
    JournalStore,
    KeptResponseStore,
    KeyStore,
    TurnStore,
    CompletionStore,
    SessionStore,
    RetentionStore,
    ToolCallStore,
    ViewerStore,
    WebhookStore,
    RecordingStore,
    BreakerStore {
  /** Of the database, and of no other: two deployments that share a task queue tell their turns apart by it. */
  readonly databaseId: string;

  /**
   * What somebody has to do something about before it makes trouble. Counts rows: to be asked by one process, once a minute. Absent:
   * a database of this kind has nothing of it.
   */
  readonly readUpkeep?: () => Promise<DatabaseUpkeep>;

  /** Writes something. Rejects when the database cannot be written just now, as on a full disk. */
  probe(): Promise<void>;

  /** Whoever follows a journal is cut off, and nothing may be called any more. */
  close(): Promise<void>;
}

export interface DatabaseUpkeep {
  /** Whole days from tomorrow on that have partitions; 0: from midnight on all goes to the default one. */
  readonly partitionDaysAhead: number;
  /** Of journals whose day should have had a partition, counted to 10,000. */
  readonly defaultPartitionRows: number;
  /** How full the server's queue of notifications is, from 0 to 1. */
  readonly notificationQueueShare: number;
}

/** The database could not take the call just now (locked, out of space): nothing was changed, ask again. */
export class StoreBusyError extends Error {
  override readonly name = 'StoreBusyError';
}
