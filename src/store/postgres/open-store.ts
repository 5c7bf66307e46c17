/** The driver for several machines: Postgres. */
import type { Append } from '../ports/journal.ts';
import type { Store } from '../ports/store.ts';
import { createSqlStore } from '../sql/create-store.ts';
import { append as appendAlone } from '../sql/journal.ts';
import { run } from '../sql/work.ts';
import { type Clock, DatabaseClock } from './clock.ts';
import { PostgresDatabase } from './database.ts';
import { isLockTimeout } from './errors.ts';
import { JournalWriter } from './journal-writer.ts';
import { migrate } from './migrate.ts';
import { clientConfig, type PostgresOptions, readPostgresOptions } from './options.ts';
import { newCommitId } from './outcome.ts';
import { dropPartitions, ensurePartitions, planRetention, readUpkeep } from './partitions.ts';
import { PostgresSignal } from './signal.ts';

export interface PostgresStoreOptions extends PostgresOptions {
  /** The server itself, where `url` is that of a pooler in transaction mode: notifications come by a connection that is kept. */
  readonly listenUrl?: string | undefined;
}

/**
 * Brings the tables up to date first.
 * @throws where the address is wrong, or the database is newer than this code
 * @throws `StoreBusyError` where it cannot be reached for now
 * @example
 *     import { openPostgresStore } from 'turnkeep/client';
 *
 *     const store = await openPostgresStore({ url: 'postgres://turnkeep@db.internal/turnkeep' });
 *     await store.close();
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { databaseId } = await migrate(
    options.listenUrl === undefined ? options : { ...options, url: options.listenUrl, pgbouncer: false },
  );
  const db = new PostgresDatabase(options);
  try {
    await unlessLocked(() => ensurePartitions(db));
  } finally {
    await db.close();
  }
  return postgresStore(options, databaseId);
}

/**
 * Of a database whose tables are up to date. Connects when it is first asked.
 * @param clock by which leases run; the database's, where nothing is said
 */
export function postgresStore(
  { listenUrl, ...options }: PostgresStoreOptions,
  databaseId: string,
  clock: Clock = new DatabaseClock(),
): Store {
  const db = new PostgresDatabase(options, clock);
  const { settings } = db;
  const { schema, prepare } = settings;
  const config = clientConfig(settings);
  const listenConfig =
    listenUrl === undefined ? config : clientConfig(readPostgresOptions({ ...options, schema, url: listenUrl, pgbouncer: false }));
  const signal = new PostgresSignal({ config, listenConfig, schema });
  const appendWaiting = async (append: Append): Promise<boolean> => appendAlone(db, append);
  const writer = new JournalWriter({ config, schema, prepare, now: () => clock.now(), appendWaiting });
  return createSqlStore({
    db,
    signal,
    databaseId,
    notify: (turn, last) => signal.notify(turn, last),
    append: (append) => writer.append(append),
    beforeExpire: async (beforeMs) => {
      await unlessLocked(() => ensurePartitions(db));
      return planRetention(db, beforeMs);
    },
    afterExpire: async (beforeMs) => {
      await unlessLocked(() => dropPartitions(db, beforeMs));
    },
    readUpkeep: () => readUpkeep(db),
    probe: async () => {
      // A row of its own: one that others write could be locked by a process that stands still.
      await db.commit('quick', () => run('INSERT INTO commits (id) VALUES (?)', newCommitId()));
    },
    close: async () => {
      await writer.close();
      await signal.close();
      await db.close();
    },
  });
}

/**
 * Partitions can wait until retention comes the next time: days are made a week ahead, and what is of no day is taken in all the
 * same. A start, or the rest of what is past retention, must not wait for the end of a backup.
 */
async function unlessLocked(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isLockTimeout(error)) throw error;
  }
}
