/** `turnkeep backup`: copies of the databases, while all goes on. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { sqlitePath } from '../config/setting-values.ts';
import { readConfig } from '../config/read-config.ts';
import { backUp } from '../store/sqlite/back-up.ts';
import { makeFolder } from '../store/sqlite/make-folder.ts';
import { StartError } from './start-error.ts';

export interface BackupFlags {
  readonly dataDir?: string;
  readonly databaseUrl?: string;
  readonly json?: boolean;
}

/** @throws StartError when there is nothing to copy, or a copy cannot be made; {ConfigError} for settings that are none */
export function runBackup(folder: string, { dataDir: dir, databaseUrl: url, json }: BackupFlags): void {
  const flags = { ...(dir === undefined ? {} : { 'data-dir': dir }), ...(url === undefined ? {} : { 'database-url': url }) };
  const { dataDir, databaseUrl } = readConfig({ env: process.env, flags });
  const database = sqlitePath(databaseUrl);
  if (database === undefined) {
    throw new StartError(
      'the database is in Postgres: back it up with its own tools, as docs/operations.md says (pg_dump, or its archive).',
    );
  }
  if (!existsSync(database)) {
    throw new StartError(`there is no database at ${database}: name its directory with --data-dir, or the file with --database-url.`);
  }
  const target = resolve(folder);
  try {
    makeFolder(target);
  } catch (error) {
    throw new StartError(`${target} cannot be made: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  // Temporal's first: a turn without a workflow gets one when turnkeep starts, and a workflow without a turn has nothing to do.
  const temporal = join(dataDir, 'temporal.db');
  const files = [
    ...(existsSync(temporal) ? [copy(temporal, join(target, 'temporal.db'))] : []),
    copy(database, join(target, 'turnkeep.db')),
  ];
  if (json === true) process.stdout.write(`${JSON.stringify({ files })}\n`);
  else for (const { path, bytes } of files) process.stdout.write(`${path}  ${(bytes / 1_000_000).toFixed(1)} MB\n`);
}

function copy(from: string, path: string): { readonly path: string; readonly bytes: number } {
  try {
    return { path, bytes: backUp(from, path) };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw new StartError(`${path} is there already: name an empty directory.`, { cause: error });
    }
    throw new StartError(`${from} cannot be copied to ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
