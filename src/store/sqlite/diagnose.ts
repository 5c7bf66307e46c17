/** Is the database file of the embedded driver as it should be? For `turnkeep doctor`. */
import { existsSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Diagnose, Finding } from '../ports/diagnosis.ts';
import { migrations } from './migrations.ts';

const lockPatienceMs = 2_000;
const megabyte = 1_000_000;
/** A few hundred turns with their recordings. */
const littleSpace = 1_000 * megabyte;
const tooLittleSpace = 100 * megabyte;
/** It is emptied at a few megabytes, as long as nobody reads the same moment of the database on and on. */
const longLog = 500 * megabyte;

const SQLITE_BUSY = 5;

/** See `Diagnose`. @param path of the file, which need not be there */
export function diagnoseSqlite(path: string): Diagnose {
  return async () => {
    const space = await lookAtSpace(path);
    if (!existsSync(path)) {
      const seen = `there is none at ${path} yet: the first process that starts makes it`;
      return [{ check: 'database', status: 'ok', seen }, ...space];
    }
    return [...lookInto(path), ...space];
  };
}

function lookInto(path: string): readonly Finding[] {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: lockPatienceMs });
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    return [lookAtSize(path), lookAtSchema(version), lookAtLock(db)];
  } catch (error) {
    const mend =
      'name a file that this user may read and write, and that is a database of turnkeep, with DATABASE_URL or TURNKEEP_DATA_DIR';
    return [{ check: 'database', status: 'fault', seen: `${path} cannot be opened: ${messageOf(error)}`, mend }];
  } finally {
    db?.close();
  }
}

function lookAtSize(path: string): Finding {
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  const seen = `SQLite, ${path}, ${inMegabytes(statSync(path).size)}, its log ${inMegabytes(log)}`;
  if (log < longLog) return { check: 'database', status: 'ok', seen };
  const mend = 'a process reads one moment of the database and never ends: a copy made by hand, or one that is stopped (`ps`: state T)';
  return { check: 'database', status: 'warning', seen, mend };
}

function lookAtSchema(version: number): Finding {
  const check = 'database schema';
  const seen = `${version}, and this version of turnkeep has ${migrations.length}`;
  if (version === migrations.length) return { check, status: 'ok', seen: String(version) };
  if (version > migrations.length) {
    return {
      check,
      status: 'fault',
      seen,
      mend: 'the database is of a newer turnkeep: start that version, or restore a backup from before',
    };
  }
  return {
    check,
    status: 'warning',
    seen,
    mend: '`turnkeep migrate`, or start a process of this version: older ones have to be stopped first',
  };
}

/**
 * A change that changes nothing, and is written all the same: a full disk shows, and a lock that somebody holds. What it writes
 * is read behind the lock: whoever holds that may be raising the version.
 */
function lookAtLock(db: DatabaseSync): Finding {
  const check = 'database writes';
  const startedAt = performance.now();
  try {
    db.exec('BEGIN IMMEDIATE');
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    db.exec(`PRAGMA user_version = ${version}; COMMIT`);
    return { check, status: 'ok', seen: `a write took ${Math.round(performance.now() - startedAt)} ms` };
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    const isBusy = error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
    return {
      check,
      status: 'fault',
      seen: isBusy
        ? `another process holds the lock for more than ${lockPatienceMs / 1_000} s`
        : `it cannot be written: ${messageOf(error)}`,
      mend: isBusy
        ? 'find the one that was stopped in the middle of a write (`ps`: state T) and let it go on or kill it; a copy by hand is to end'
        : 'make room on its disk, and let this user write the file and its directory',
    };
  }
}

async function lookAtSpace(path: string): Promise<readonly Finding[]> {
  const check = 'database disk';
  const folder = dirname(path);
  try {
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const seen = `${inMegabytes(free)} free at ${folder}`;
    if (free >= littleSpace) return [{ check, status: 'ok', seen }];
    const mend = 'make room: TURNKEEP_RETENTION_DAYS drops old turns sooner, TURNKEEP_RECORD=answers or off keeps less of each';
    return [{ check, status: free < tooLittleSpace ? 'fault' : 'warning', seen, mend }];
  } catch {
    // Its directory is made with it.
    return [];
  }
}

function inMegabytes(bytes: number): string {
  return `${(bytes / megabyte).toFixed(bytes < 100 * megabyte ? 1 : 0)} MB`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
