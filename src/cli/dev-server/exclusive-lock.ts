/**
 * A lock that the operating system frees when its process dies, kill -9 included: SQLite's own, on an empty file.
 * It is held as long as the connection is open.
 */
import { DatabaseSync } from 'node:sqlite';

export interface Lock {
  release(): void;
}

const sqliteBusy = 5;

/** `isLocked` in another process holds the file for microseconds, which must not refuse the lock. */
const waitMs = 100;

/** A connection without a reference would be garbage collected, and its lock freed. */
const held = new Set<DatabaseSync>();

/** @returns undefined when another process holds it */
export function takeLock(path: string): Lock | undefined {
  const database = open(path, 'BEGIN EXCLUSIVE', waitMs);
  if (database === undefined) return undefined;
  held.add(database);
  return {
    release() {
      if (held.delete(database)) database.close();
    },
  };
}

export function isLocked(path: string): boolean {
  const database = open(path, 'BEGIN; SELECT count(*) FROM sqlite_schema', 0);
  database?.close();
  return database === undefined;
}

function open(path: string, begin: string, timeoutMs: number): DatabaseSync | undefined {
  const database = new DatabaseSync(path, { timeout: timeoutMs });
  try {
    database.exec(begin);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return undefined;
    throw error;
  }
}
