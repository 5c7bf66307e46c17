/** The tables of a database file and those of this version, for `turnkeep migrate`; and what `turnkeep doctor` reads without a store. */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type CodecKeyMark, codecKeyMarkOf } from '../../domain/codec-key.ts';
import type { SchemaVersions } from '../ports/diagnosis.ts';
import { codecKey } from '../sql/keys.ts';
import { migrations } from './migrations.ts';
import { openFile } from './open-file.ts';

const lockPatienceMs = 2_000;

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

/** Changes nothing. Null: no key is in use, or there is no database yet. @throws when the file cannot be read, or is no database */
export function readCodecKeyMark(path: string): CodecKeyMark | null {
  if (!existsSync(path)) return null;
  const db = new DatabaseSync(path, { readOnly: true, timeout: lockPatienceMs });
  try {
    if (db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").get() === undefined) return null;
    const value = db.prepare('SELECT value FROM meta WHERE name = ?').get(codecKey)?.['value'];
    return typeof value === 'string' ? codecKeyMarkOf(value) : null;
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
