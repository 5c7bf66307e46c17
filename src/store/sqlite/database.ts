/**
 * The embedded database: one SQLite file in WAL mode that several processes of one machine may share, and how they
 * notice each other's commits.
 *
 * Two kinds of commit. `durable` syncs the write-ahead log to disk (0.2 ms): what was promised to a user. `quick` does not
 * (9 us): it survives a kill of the process, not a loss of power. A later durable commit takes the quick ones before it to
 * disk along with it. Both are made at the end of a tick of the event loop. To wait some milliseconds for others saves
 * nothing: with 20 streams at 33 tokens a second, the timer costs what the commits cost that it saves (64 us an append).
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { ChangeSignal, ChangeWatcher } from '../live/source.ts';
import { StoreBusyError } from '../ports/store.ts';
import { openFile } from './open-file.ts';
import { text } from '../sql/rows.ts';
import { type Durability, one, type Row, run, type SqlDatabase, type Statement, type Work } from '../sql/work.ts';
import { watchJournals } from './watch-journals.ts';

/**
 * How long a call waits for another process's write before it gives up with `StoreBusyError`. It stops the whole
 * process meanwhile, heartbeats too: `retryWhileBusy` waits longer, without stopping anything.
 */
const busyTimeoutMs = 20;

/**
 * Works that were asked for at once share a commit up to so many changed rows, some 10 ms: the lock is free, and the event
 * loop, before the rest follows.
 */
const changesAtOnce = 300;

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_FULL = 13;
/** The locks of the log were contended for longer than SQLite tries. */
const SQLITE_PROTOCOL = 15;
const passingCodes = new Set([SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL, SQLITE_PROTOCOL]);

interface QueuedWork {
  readonly durability: Durability;
  /** Returns what is to be called once the commit is done. */
  readonly run: () => () => void;
  readonly reject: (error: unknown) => void;
}

export class Database implements SqlDatabase, ChangeSignal {
  /** See `Store.databaseId`. */
  readonly id: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #isDurable: boolean | undefined;
  #isLogDue = false;
  #queue: QueuedWork[] = [];
  #committing: NodeJS.Immediate | undefined;
  /** Rows, by the works of a commit. */
  #changes = 0;

  constructor(path: string) {
    this.#db = openFile(path);
    this.id = text(this.one(`SELECT value FROM meta WHERE name = 'database'`)?.['value']);
    this.#db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  }

  /**
   * Runs `work` in a commit; any throw undoes what it has written, and nothing else. A commit that fails undoes all works in
   * it. Works that are asked for in one tick of the event loop share a commit, and one sync of the disk where any of them is
   * durable. They run in the order they were asked for; each sees what the ones before it have written. One may be run again,
   * after all that it wrote was undone.
   */
  commit<T>(durability: Durability, work: () => Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        durability,
        run: () => {
          const result = this.#carryOut(work());
          return () => {
            resolve(result);
          };
        },
        reject,
      });
      this.#committing ??= setImmediate(this.#commitQueued);
    });
  }

  /** At once, and without a pause. */
  async read<T>(work: () => Work<T>, isOfOneMoment = false): Promise<T> {
    if (!isOfOneMoment) return this.#carryOut(work());
    return translated(() => {
      this.#prepared('BEGIN').run();
      try {
        return this.#carryOut(work());
      } finally {
        this.#prepared('COMMIT').run();
      }
    });
  }

  #carryOut<T>(work: Work<T>): T {
    let step = work.next();
    while (step.done !== true) {
      let answer: unknown;
      try {
        answer = this.#answer(step.value);
      } catch (error) {
        step = work.throw(error);
        continue;
      }
      step = work.next(answer);
    }
    return step.value;
  }

  #answer(statement: Statement): unknown {
    switch (statement.type) {
      case 'one':
        return this.one(statement.sql, ...statement.values);
      case 'all':
        return this.all(statement.sql, ...statement.values);
      case 'run':
        return this.run(statement.sql, ...statement.values);
      case 'scan':
        return this.scan(statement.sql, statement.values, statement.take);
      case 'only':
        return statement.driver === 'sqlite' ? this.run(statement.sql, ...statement.values) : undefined;
      case 'now':
        return Date.now();
      // There is one writer.
      case 'lock':
        return undefined;
      case 'together':
        return statement.isAhead ? undefined : statement.works.map((work) => this.#carryOut(work()));
    }
  }

  readonly #commitQueued = (): void => {
    this.#committing = undefined;
    const works = this.#queue;
    this.#queue = [];
    const settle: (() => void)[] = [];
    let act: 'begin' | 'work' | 'commit' = 'begin';
    try {
      this.#setDurable(works.some(({ durability }) => durability === 'durable'));
      this.#prepared('BEGIN IMMEDIATE').run();
      this.#changes = 0;
      act = 'work';
      for (const { run } of works) {
        settle.push(run());
        if (this.#changes >= changesAtOnce) break;
      }
      act = 'commit';
      this.#prepared('COMMIT').run();
    } catch (error) {
      this.#rollBack();
      if (act === 'commit') this.#overwriteLost();
      // A work that throws fails alone, and those beside it are run again without it. Without a transaction all have failed;
      // without its commit those that were in it, and what had no room in it is run by itself.
      const from = act === 'work' ? settle.length : 0;
      const to = { begin: works.length, work: from + 1, commit: settle.length }[act];
      for (const { reject } of works.slice(from, to)) reject(translate(error));
      this.#again(works.toSpliced(from, to - from));
      return;
    }
    for (const each of settle) each();
    this.#again(works.slice(settle.length));
  };

  /** Some errors have ended the transaction already. */
  #rollBack(): void {
    try {
      if (this.#db.isOpen && this.#db.isTransaction) this.#prepared('ROLLBACK').run();
    } catch {
      // It is rolled back before the next one begins, which fails by this one.
    }
  }

  /**
   * A commit whose sync failed stands whole in the write-ahead log, behind all that counts: nobody reads it, but whoever opens
   * the file after a crash would take it for done, and those who asked for it were told that it is not. The next commit is
   * written over it. So there is one at once, which changes nothing.
   */
  #overwriteLost(): void {
    try {
      this.#setDurable(false);
      this.#db.exec('BEGIN IMMEDIATE');
      const version = Number(this.#prepared('PRAGMA user_version').get()?.['user_version']);
      this.#db.exec(`PRAGMA user_version = ${version}; COMMIT`);
    } catch {
      // Whoever has the lock commits something; and on a broken disk there is nothing to be done.
      this.#rollBack();
    }
  }

  #again(works: readonly QueuedWork[]): void {
    if (works.length === 0) return;
    this.#queue = [...works, ...this.#queue];
    this.#committing ??= setImmediate(this.#commitQueued);
  }

  #setDurable(isDurable: boolean): void {
    if (this.#isDurable === isDurable) return;
    this.#db.exec(`PRAGMA synchronous = ${isDurable ? 'FULL' : 'NORMAL'}`);
    this.#isDurable = isDurable;
  }

  /** @throws outside of a commit, also when an error within it has ended its transaction: the rest would be written by itself */
  run(sql: string, ...values: SQLInputValue[]): number {
    if (!this.#db.isTransaction) throw new Error('nothing is written outside of a commit');
    const changes = Number(this.#prepared(sql).run(...values).changes);
    this.#changes += changes;
    return changes;
  }

  one(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return translated(() => this.#prepared(sql).get(...values) as Row | undefined);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return translated(() => this.#prepared(sql).all(...values) as Row[]);
  }

  /** False: `take` had enough. */
  scan(sql: string, values: readonly SQLInputValue[], take: (row: Row) => boolean): boolean {
    return translated(() => {
      for (const row of this.#prepared(sql).iterate(...values)) if (!take(row as Row)) return false;
      return true;
    });
  }

  /** A change that changes nothing, and is written all the same: a full disk shows. */
  async probe(): Promise<void> {
    await this.commit('quick', function* () {
      const version = Number((yield* one('PRAGMA user_version'))?.['user_version']);
      yield* run(`PRAGMA user_version = ${version}`);
    });
  }

  watch(watcher: ChangeWatcher): () => void {
    return watchJournals(this, watcher);
  }

  /**
   * Empties the write-ahead log, into which everything that was ever written goes first: once, when after calls that say
   * that there is more to come one says that there is not. What cannot be done then, because somebody reads, is done when
   * this is called again.
   */
  truncateLogOnce(isDone: boolean): void {
    if (!isDone) this.#isLogDue = true;
    else if (this.#isLogDue) this.#isLogDue = this.one('PRAGMA wal_checkpoint(TRUNCATE)')?.['busy'] !== 0;
  }

  /** Commits what is queued first. */
  close(): void {
    if (!this.#db.isOpen) return;
    while (this.#queue.length > 0) this.#commitQueued();
    clearImmediate(this.#committing);
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
