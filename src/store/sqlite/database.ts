/**
 * The embedded database: one SQLite file in WAL mode that several processes of one machine may share, and how they
 * notice each other's commits.
 *
 * Two kinds of commit. `durable` syncs the write-ahead log to disk (0.2 ms): what was promised to a user.
 * `quick` does not (9 us): it survives a kill of the process, not a loss of power. A later durable commit
 * takes the quick ones before it to disk along with it.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { ChangeSignal, ChangeWatcher } from '../live/source.ts';
import { StoreBusyError } from '../ports/store.ts';
import { openFile } from './open-file.ts';
import { watchJournals } from './watch-journals.ts';

export type Row = Record<string, SQLInputValue>;
export type Durability = 'durable' | 'quick';

/**
 * How long a call waits for another process's write before it gives up with `StoreBusyError`. It stops the whole
 * process meanwhile, heartbeats too: `retryWhileBusy` waits longer, without stopping anything.
 */
const busyTimeoutMs = 20;

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_FULL = 13;
const passingCodes = new Set([SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL]);

interface QueuedWork {
  readonly durability: Durability;
  /** Returns what is to be called once the commit is done. */
  readonly run: () => () => void;
  readonly reject: (error: unknown) => void;
}

export class Database implements ChangeSignal {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #durability: Durability | undefined;
  #isLogDue = false;
  #queue: QueuedWork[] = [];

  constructor(path: string) {
    this.#db = openFile(path);
    this.#db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  }

  /**
   * Runs `work` in a commit; any throw undoes what it has written, and nothing else. Works that are asked for in one tick
   * of the event loop share a commit, and one sync of the disk where any of them is durable. They run in the order they
   * were asked for; each sees what the ones before it have written.
   */
  commit<T>(durability: Durability, work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        durability,
        run: () => {
          const result = work();
          return () => {
            resolve(result);
          };
        },
        reject,
      });
      if (this.#queue.length === 1) setImmediate(this.#flush);
    });
  }

  readonly #flush = (): void => {
    const queued = this.#queue;
    if (queued.length === 0) return;
    this.#queue = [];
    const settle: (() => void)[] = [];
    try {
      this.#setDurability(queued.some(({ durability }) => durability === 'durable') ? 'durable' : 'quick');
      this.#prepared('BEGIN IMMEDIATE').run();
      for (const each of queued) settle.push(queued.length === 1 ? each.run() : this.#isolated(each));
      this.#prepared('COMMIT').run();
    } catch (error) {
      if (this.#db.isOpen && this.#db.isTransaction) this.#prepared('ROLLBACK').run();
      const translated = translate(error);
      for (const { reject } of queued) reject(translated);
      return;
    }
    for (const each of settle) each();
  };

  /** A work that throws takes back what it has written, and leaves the works beside it alone. */
  #isolated({ run, reject }: QueuedWork): () => void {
    this.#prepared('SAVEPOINT work').run();
    try {
      return run();
    } catch (error) {
      // An error of the disk ends the transaction itself, and with it every work in it.
      if (!this.#db.isTransaction) throw error;
      this.#prepared('ROLLBACK TO work').run();
      const translated = translate(error);
      return () => {
        reject(translated);
      };
    } finally {
      if (this.#db.isTransaction) this.#prepared('RELEASE work').run();
    }
  }

  #setDurability(durability: Durability): void {
    if (this.#durability === durability) return;
    this.#db.exec(`PRAGMA synchronous = ${durability === 'durable' ? 'FULL' : 'NORMAL'}`);
    this.#durability = durability;
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...values).changes);
  }

  one(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return translated(() => this.#prepared(sql).get(...values) as Row | undefined);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return translated(() => this.#prepared(sql).all(...values) as Row[]);
  }

  /** Row by row, for as long as they are asked for; nothing else may be asked of the same statement meanwhile. */
  *each(sql: string, ...values: SQLInputValue[]): Generator<Row> {
    try {
      for (const row of this.#prepared(sql).iterate(...values)) yield row;
    } catch (error) {
      throw translate(error);
    }
  }

  watch(watcher: ChangeWatcher): () => void {
    return watchJournals(this, watcher);
  }

  /**
   * Empties the write-ahead log, into which everything that was ever written goes first. What cannot be done now,
   * because somebody reads, is done when this is called again.
   */
  truncateLog(isDue: boolean): void {
    this.#isLogDue ||= isDue;
    if (this.#isLogDue) this.#isLogDue = this.one('PRAGMA wal_checkpoint(TRUNCATE)')?.['busy'] !== 0;
  }

  /** Commits what is queued first. */
  close(): void {
    if (!this.#db.isOpen) return;
    this.#flush();
    this.#db.close();
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translate(error);
  }
}

/** The error as the port has it. */
function translate(error: unknown): unknown {
  const isPassing = error instanceof Error && 'errcode' in error && passingCodes.has(Number(error.errcode) & 0xff);
  return isPassing ? new StoreBusyError(`the database cannot take this now: ${error.message}`, { cause: error }) : error;
}
