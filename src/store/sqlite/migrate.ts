/** The tables of a database file and those of this version: for `turnkeep migrate`. */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { SchemaVersions } from '../ports/diagnosis.ts';
import { migrations } from './migrations.ts';
import { openFile } from './open-file.ts';

/** @throws when the file cannot be read, or is no database */
export function readSchemaVersions(path: string): SchemaVersions {
  const target = migrations.length;
  if (!existsSync(path)) return { current: 0, target };
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return { current: Number(db.prepare('PRAGMA user_version').get()?.['user_version']), target };
  } finally {
    db.close();
  }
}

/**
 * Brings the tables up to date in one transaction, as the start of a process does.
 * @returns what they were before
 * @throws when the file cannot be opened or is of a newer version
 */
export function migrateSqlite(path: string): SchemaVersions {
  const before = readSchemaVersions(path);
  openFile(path).close();
  return before;
}
