/** `turnkeep migrate`: the tables of the database as this version has them. A start does the same; a deploy may want it before. */
import { readConfig } from '../config/read-config.ts';
import { sqlitePath } from '../config/setting-values.ts';
import { migrateSqlite, readSchemaVersions } from '../store/sqlite/migrate.ts';
import type { SchemaVersions } from '../store/ports/diagnosis.ts';
import { StartError } from './start-error.ts';

export interface MigrateFlags {
  readonly dataDir?: string;
  readonly databaseUrl?: string;
  readonly check?: boolean;
  readonly json?: boolean;
}

/** Exit code 1 where `check` finds tables that are not those of this version. @throws StartError when it cannot be done; {ConfigError} */
export function runMigrate({ dataDir, databaseUrl, check, json }: MigrateFlags): void {
  const flags = {
    ...(dataDir === undefined ? {} : { 'data-dir': dataDir }),
    ...(databaseUrl === undefined ? {} : { 'database-url': databaseUrl }),
  };
  const path = sqlitePath(readConfig({ env: process.env, flags }).databaseUrl);
  const versions = tried(path, () => (check === true ? readSchemaVersions(path) : migrateSqlite(path)));
  if (check === true && versions.current !== versions.target) process.exitCode = 1;
  const isDone = check !== true;
  process.stdout.write(
    json === true ? `${JSON.stringify({ database: path, ...versions, migrated: isDone })}\n` : `${path}: ${wordsOf(versions, isDone)}\n`,
  );
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

function tried<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new StartError(`the database ${path} cannot be migrated: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
