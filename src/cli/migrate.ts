/** `turnkeep migrate`: the tables of the database as this version has them. A start does the same; a deploy may want it before. */
import { readConfig } from '../config/read-config.ts';
import { databaseName, migrateDatabase, readDatabaseVersions } from '../roles/maintain-database.ts';
import type { SchemaVersions } from '../store/ports/diagnosis.ts';
import { StartError } from './start-error.ts';

export interface MigrateFlags {
  readonly dataDir?: string;
  readonly databaseUrl?: string;
  readonly check?: boolean;
  readonly json?: boolean;
}

/** Exit code 1 where `check` finds tables that are not those of this version. @throws StartError when it cannot be done; {ConfigError} */
export async function runMigrate({ dataDir, databaseUrl, check, json }: MigrateFlags): Promise<void> {
  const flags = {
    ...(dataDir === undefined ? {} : { 'data-dir': dataDir }),
    ...(databaseUrl === undefined ? {} : { 'database-url': databaseUrl }),
  };
  const config = readConfig({ env: process.env, flags });
  const database = databaseName(config);
  const versions = await tried({ database, isCheck: check === true }, () =>
    check === true ? readDatabaseVersions(config) : migrateDatabase(config),
  );
  if (check === true && versions.current !== versions.target) process.exitCode = 1;
  const isDone = check !== true;
  const object = { database, ...versions, migrated: isDone };
  process.stdout.write(json === true ? `${JSON.stringify(object)}\n` : `${database}: ${wordsOf(versions, isDone)}\n`);
}

function wordsOf({ current, target }: SchemaVersions, isDone: boolean): string {
  if (current === target) return `schema ${target}, that of this version`;
  if (current > target) return `schema ${current}, of a newer turnkeep: this version has ${target}`;
  const from = current === 0 ? 'made' : `from schema ${current}`;
  if (isDone) return `${from}, now schema ${target}`;
  return current === 0
    ? `there is none yet; this version has schema ${target}`
    : `schema ${current}, and this version has ${target}: turnkeep migrate`;
}

async function tried<T>(
  { database, isCheck }: { readonly database: string; readonly isCheck: boolean },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const what = `the database ${database} cannot be ${isCheck ? 'read' : 'migrated'}: ${error instanceof Error ? error.message : String(error)}`;
    const isAway = isCheck || (error instanceof Error && error.name === 'StoreBusyError');
    throw new StartError(isAway ? `${what}. ${mend}` : what, { cause: error });
  }
}

const mend = 'See DATABASE_URL (--database-url) or TURNKEEP_DATA_DIR (--data-dir), and what `turnkeep doctor` says of the database.';
