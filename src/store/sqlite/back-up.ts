/** A copy of a database that others use meanwhile: whole, as it stood at one moment, in one file. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Under its name the copy is whole, or not there. Stands still while it copies.
 * @returns its size in bytes
 * @throws the error of the system or of SQLite: EEXIST where there is such a file already
 */
export function backUp(from: string, to: string): number {
  // Nobody else may take the name meanwhile, nor read the file.
  closeSync(openSync(to, 'wx', 0o600));
  const part = `${to}.part`;
  try {
    rmSync(part, { force: true });
    closeSync(openSync(part, 'wx', 0o600));
    // Temporal's tables have texts in double quotes, which SQLite reads as names of columns unless it is told.
    const db = new DatabaseSync(from, { readOnly: true, enableDoubleQuotedStringLiterals: true });
    try {
      db.exec('PRAGMA busy_timeout = 10000');
      db.prepare('VACUUM INTO ?').run(part);
    } finally {
      db.close();
    }
    synced(part);
    renameSync(part, to);
    synced(dirname(to));
    return statSync(to).size;
  } catch (error) {
    rmSync(part, { force: true });
    rmSync(to, { force: true });
    throw error;
  }
}

function synced(path: string): void {
  const file = openSync(path, 'r');
  fsyncSync(file);
  closeSync(file);
}
