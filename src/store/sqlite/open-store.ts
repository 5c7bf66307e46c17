/** The embedded driver: `node:sqlite`, one file, several processes. The default. */
import type { Store } from '../ports/store.ts';
import { createSqlStore } from '../sql/create-store.ts';
import { Database } from './database.ts';

/**
 * @param path of the database file; its folder is made if need be. Throws when it cannot be opened or is newer than this code.
 * @example
 *     import { openSqliteStore } from 'turnkeep/client';
 *
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     await store.close();
 */
export function openSqliteStore(path: string): Store {
  const db = new Database(path);
  return createSqlStore({
    db,
    signal: db,
    databaseId: db.id,
    // What was dropped is in the write-ahead log as well, until that is emptied.
    afterPurge: (isDone) => db.truncateLogOnce(isDone),
    probe: () => db.probe(),
    close: async () => db.close(),
  });
}
