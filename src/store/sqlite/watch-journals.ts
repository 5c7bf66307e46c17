/** Notices which journals other processes have written to, by two numbers: the database's version and the newest row. */
import type { ChangeWatcher } from '../live/source.ts';
import { StoreBusyError } from '../ports/store.ts';
import type { Database } from './database.ts';
import { text } from '../sql/rows.ts';

/** How soon what another process has committed is noticed. */
const pollMs = 5;

/** With more new rows than this, as after a sleep of the machine, it costs less to look at each turn that is followed. */
const manyRows = 10_000;

/**
 * See `ChangeSignal`. A poll is one PRAGMA (2.7 us): a number that changes when another process, never this one, has
 * committed. Rows of this process are among those that are new then; whoever knows them by now reads nothing.
 */
export function watchJournals(db: Database, watcher: ChangeWatcher): () => void {
  // What is committed from here on is a change. Without these two numbers, anything may have changed.
  let version = unlessBusy(() => versionOf(db));
  let newest = unlessBusy(() => newestRow(db));

  function look(): void {
    const now = versionOf(db);
    if (now === version) return;
    const last = newestRow(db);
    const written = newest === undefined || last - newest > manyRows ? undefined : writtenSince(db, newest);
    version = now;
    newest = Math.max(newest ?? 0, last);
    if (written === undefined) watcher.onChange();
    else for (const each of written) watcher.onChange(text(each['turn']), Number(each['last']));
  }

  const timer = setInterval(() => {
    try {
      look();
    } catch (error) {
      if (!(error instanceof StoreBusyError)) watcher.onFailure(error);
    }
  }, pollMs);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}

function versionOf(db: Database): number {
  return Number(db.one('PRAGMA data_version')?.['data_version']);
}

function newestRow(db: Database): number {
  return Number(db.one('SELECT max(ordinal) AS newest FROM journal')?.['newest'] ?? 0);
}

function writtenSince(db: Database, ordinal: number) {
  return db.all('SELECT turn, max(seq) AS last FROM journal NOT INDEXED WHERE ordinal > ? GROUP BY turn', ordinal);
}

function unlessBusy(read: () => number): number | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof StoreBusyError) return undefined;
    throw error;
  }
}
