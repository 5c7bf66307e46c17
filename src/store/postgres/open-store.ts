/** The driver for several machines: Postgres. */
import type { Store } from '../ports/store.ts';
import { createSqlStore } from '../sql/create-store.ts';
import { run } from '../sql/work.ts';
import type { Clock } from './clock.ts';
import { PostgresDatabase } from './database.ts';
import { migrate } from './migrate.ts';
import type { PostgresOptions } from './options.ts';

/**
 * Brings the tables up to date first.
 * @throws where the address is wrong, or the database is newer than this code
 * @throws `StoreBusyError` where it cannot be reached for now
 */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  const { databaseId } = await migrate(options);
  return postgresStore(options, databaseId);
}

/**
 * Of a database whose tables are up to date. Connects when it is first asked.
 * @param clock by which leases run; the database's, where nothing is said
 */
export function postgresStore(options: PostgresOptions, databaseId: string, clock?: Clock): Store {
  const db = new PostgresDatabase(options, clock);
  return createSqlStore({
    db,
    signal: {
      watch(watcher) {
        const timer = setInterval(() => watcher.onChange(), 10);
        return () => clearInterval(timer);
      },
    },
    databaseId,
    probe: async () => {
      await db.commit('quick', () => run(`UPDATE meta SET value = value WHERE name = 'probe'`));
    },
    close: () => db.close(),
  });
}
