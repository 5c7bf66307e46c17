/** The database that the configuration names. */
import type { Config } from '../config/config.ts';
import { sqlitePath } from '../config/setting-values.ts';
import type { Store } from '../store/ports/store.ts';
import { openSqliteStore } from '../store/sqlite/open-store.ts';

/** @throws an error that names the file, when it cannot be opened or is of a newer version */
export function openStore({ databaseUrl }: Pick<Config, 'databaseUrl'>): Store {
  const path = sqlitePath(databaseUrl);
  try {
    return openSqliteStore(path);
  } catch (error) {
    throw new Error(`the database ${path} cannot be opened: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
