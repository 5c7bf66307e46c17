/** Opens the database file, and brings its tables up to date, also while other processes do the same. */
import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from './make-folder.ts';
import { migrations } from './migrations.ts';

/** How long a process that is starting waits for others that open the same file. */
const patienceMs = 10_000;
const pauseMs = 5;

const SQLITE_BUSY = 5;

/** @throws when the file cannot be opened, or was written by a newer version */
export function openFile(path: string): DatabaseSync {
  makeFolder(dirname(path));
  // SQLite gives its log and its index the mode of the file; left to itself it would make one that everybody reads.
  closeSync(openSync(path, 'a', 0o600));
  const db = new DatabaseSync(path);
  try {
    prepareFile(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepareFile(db: DatabaseSync): void {
  db.exec(`PRAGMA busy_timeout = ${patienceMs}`);
  // The switch to a write-ahead log fails at once, whatever `busy_timeout` says, while another process makes it or recovers the log.
  whileBusy(() => {
    db.exec('PRAGMA journal_mode = WAL');
  });
  // What is deleted is gone from the file, not only from its index.
  db.exec('PRAGMA secure_delete = ON');
  db.exec('PRAGMA synchronous = FULL');
  whileBusy(() => {
    migrate(db);
  });
}

/** Of several processes one makes the tables, and the others find them. */
function migrate(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    const done = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    if (done > migrations.length) {
      throw new Error(`the database is of a newer turnkeep (schema ${done}, this one knows ${migrations.length})`);
    }
    for (const migration of migrations.slice(done)) db.exec(migration);
    if (done < migrations.length) db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** Stands still meanwhile: it is the start of a process, which has nothing else to do yet. */
function whileBusy(work: () => void): void {
  const givesUpAt = performance.now() + patienceMs;
  for (;;) {
    try {
      work();
      return;
    } catch (error) {
      const isBusy = error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
      if (!isBusy || performance.now() > givesUpAt) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
}
