/**
 * A lock that the operating system frees when its holder dies, kill -9 included: SQLite's own, on an empty file.
 * It holds as long as the connection is open.
 */
import { DatabaseSync } from 'node:sqlite';

export interface Lock {
  release(): void;
}

/** Somebody who only asks (`isLocked`) holds the file for microseconds: that must not refuse a holder. */
const ASKERS_MS = 100;

/** A connection that nobody names any more would be collected, and the lock be gone with it. */
const held = new Set<DatabaseSync>();

/** @returns undefined when somebody else has it */
export function takeLock(path: string): Lock | undefined {
  const database = open(path, 'BEGIN EXCLUSIVE', ASKERS_MS);
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
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
}

const SQLITE_BUSY = 5;
