/** The database of a process, by its address. */
import type { Config } from '../config/config.ts';
import { sqlitePath } from '../config/setting-values.ts';
import { openPostgresStore } from '../store/postgres/open-store.ts';
import type { Store } from '../store/ports/store.ts';
import { openSqliteStore } from '../store/sqlite/open-store.ts';

/** @throws with the address of the database, without a password, where it cannot be opened */
export async function openStore({ databaseUrl, postgres }: Pick<Config, 'databaseUrl' | 'postgres'>): Promise<Store> {
  const path = sqlitePath(databaseUrl);
  try {
    return path === undefined ? await openPostgresStore({ url: databaseUrl, ...postgres }) : openSqliteStore(path);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`the database ${path ?? serverOf(databaseUrl)} cannot be opened: ${message}`, { cause: error });
  }
}

/** Who reads a log need not know the password, nor the user. */
function serverOf(databaseUrl: string): string {
  const { host, pathname, searchParams } = new URL(databaseUrl);
  return `${host || (searchParams.get('host') ?? '')}${pathname}`;
}
