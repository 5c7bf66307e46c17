/**
 * Partitions of the journals and of what was recorded, one a day (UTC), by the ids of turns, which begin with their time (`newId`).
 * They are made ahead. What retention is through with goes as a whole partition, without a delete for each row.
 */
import type { IdRange } from '../ports/retention.ts';
import type { DatabaseUpkeep } from '../ports/store.ts';
import { all, one, run, type Row, type SqlDatabase, type Work } from '../sql/work.ts';

/**
 * By far the largest tables, and only ever added to. What is of no day that there is a partition for goes to the default one: ids
 * that do not begin with a time, and what comes when nobody has made partitions ahead.
 */
export const journalTables = `
  CREATE TABLE journal (
    turn TEXT NOT NULL, seq BIGINT NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (turn, seq)
  ) PARTITION BY RANGE (turn);
  CREATE TABLE journal_default PARTITION OF journal DEFAULT;
  CREATE TABLE recordings (
    turn TEXT NOT NULL, epoch BIGINT NOT NULL, part BIGINT NOT NULL, step BIGINT NOT NULL, attempt BIGINT NOT NULL,
    data BYTEA NOT NULL, PRIMARY KEY (turn, epoch, part)
  ) PARTITION BY RANGE (turn);
  CREATE TABLE recordings_default PARTITION OF recordings DEFAULT;
`;

const tables = ['journal', 'recordings'] as const;

const dayMs = 86_400_000;

/** Nothing is written to the default partition as long as somebody makes partitions once in so many days. */
const usualAheadDays = 7;

/**
 * How long they wait for a table's lock, ms: everybody who writes to it, or reads it, waits behind them. Statements are through by
 * then; a backup is not, which holds a lock on each table as long as it runs.
 */
const lockTimeoutMs = 100;

/** Of one commit. */
const headsAtOnce = 1_000;

/** A day that others go on in for so long after its end is no longer waited for, to drop it whole. */
const brokenAfterMs = dayMs;

/** A day of UTC. */
interface Day {
  /** As in the names of its tables: `20261231`. */
  readonly name: string;
  /** The ids of its turns: from the first on, and before the second. */
  readonly range: IdRange;
  readonly endsAtMs: number;
}

/**
 * Makes the partitions of today and of the days ahead that are not there, and takes over what the default one has of them. Several
 * processes may do it at once.
 * @returns the days they were made for, as in `20261231`
 * @throws `StoreBusyError` while somebody has a lock that is in the way: ask again
 */
export async function ensurePartitions(
  db: SqlDatabase,
  { nowMs = Date.now(), aheadDays = usualAheadDays }: { readonly nowMs?: number; readonly aheadDays?: number } = {},
): Promise<string[]> {
  const present = await db.read(partitionedDays);
  const due = Array.from({ length: aheadDays + 1 }, (_, ahead) => dayOf(nowMs + ahead * dayMs)).filter(({ name }) => !present.has(name));
  // One a commit: the default partition is locked meanwhile.
  const made: string[] = [];
  for (const day of due) if (await db.commit('durable', () => makePartitions(day))) made.push(day.name);
  return made;
}

/** See `Store.readUpkeep`. */
export async function readUpkeep(db: SqlDatabase, nowMs = Date.now()): Promise<DatabaseUpkeep> {
  return db.read(function* () {
    const days = yield* partitionedDays();
    // Ids of the length of `newId`: those of workflows of somebody's own begin with no time, and are there for good reason.
    const sql = `SELECT pg_notification_queue_usage() AS share, (SELECT count(*) FROM (
      SELECT 1 FROM journal_default WHERE turn < ? AND turn ~ '^resp_[0-9a-f]{48}$' LIMIT 10000) AS stray) AS stray`;
    const row = yield* one(sql, firstIdAt(nowMs + 366 * dayMs));
    let partitionDaysAhead = 0;
    while (days.has(dayOf(nowMs + (partitionDaysAhead + 1) * dayMs).name)) partitionDaysAhead += 1;
    return { partitionDaysAhead, defaultPartitionRows: Number(row?.['stray']), notificationQueueShare: Number(row?.['share']) };
  });
}

/**
 * How what has ended before `beforeMs` goes: with its whole day, where all of this day goes soon, and by itself where turns of the
 * day are kept for more than a day after its end.
 */
export async function planRetention(
  db: SqlDatabase,
  beforeMs: number,
): Promise<{ readonly wholeRanges: readonly IdRange[]; readonly brokenRanges: readonly IdRange[] }> {
  return db.read(function* () {
    const [wholeRanges, brokenRanges]: [IdRange[], IdRange[]] = [[], []];
    for (const name of yield* partitionedDays()) {
      const day = dayNamed(name);
      if (day.endsAtMs - dayMs >= beforeMs) continue;
      const isBroken = day.endsAtMs + brokenAfterMs <= beforeMs && (yield* isInUse(day, beforeMs));
      (isBroken ? brokenRanges : wholeRanges).push(day.range);
    }
    return { wholeRanges, brokenRanges };
  });
}

/**
 * Drops the days before `beforeMs` all of whose journals are hidden: nobody reads them any more. One with a turn that runs, or that
 * is not past retention, is kept.
 * @returns the days that were dropped, and those that were kept, as in `20261231`
 * @throws `StoreBusyError` while somebody has a lock that is in the way: ask again
 */
export async function dropPartitions(
  db: SqlDatabase,
  beforeMs: number,
): Promise<{ readonly dropped: readonly string[]; readonly kept: readonly string[] }> {
  const [dropped, kept]: [string[], string[]] = [[], []];
  for (const name of await db.read(partitionedDays)) {
    const day = dayNamed(name);
    if (day.endsAtMs > beforeMs) continue;
    if (await db.read(() => hasReadable(day))) kept.push(name);
    else {
      while (await db.commit('quick', () => dropHiddenHeads(day))) continue;
      if (await db.commit('durable', () => detachPartitions(day))) dropped.push(name);
    }
  }
  // Those, too, that a killed process has detached. To delete the files of a large table takes a while: it is nobody's any more.
  for (const table of await db.read(detachedTables)) {
    await db.commit('durable', function* () {
      yield* lockPartitions();
      yield* run(`DROP TABLE IF EXISTS ${table}`);
    });
  }
  return { dropped: dropped.toSorted(), kept: kept.toSorted() };
}

/** False: somebody else has made them. */
function* makePartitions({ name, range: [from, to] }: Day): Work<boolean> {
  yield* lockPartitions();
  if ((yield* partitionedDays()).has(name)) return false;
  yield* hurry();
  for (const table of tables) {
    const partition = partitionOf(table, name);
    // Not as a partition from the start: that would lock the whole table, and fail where the default one has rows of it.
    yield* run(`CREATE TABLE ${partition} (LIKE ${table} INCLUDING ALL)`);
    yield* run(`LOCK TABLE ${table}_default IN ACCESS EXCLUSIVE MODE`);
    yield* run(
      `WITH moved AS (DELETE FROM ${table}_default WHERE turn >= ? AND turn < ? RETURNING *) INSERT INTO ${partition} SELECT * FROM moved`,
      from,
      to,
    );
    yield* run(`ALTER TABLE ${table} ATTACH PARTITION ${partition} FOR VALUES FROM ('${from}') TO ('${to}')`);
  }
  return true;
}

/** Whether a turn of this day runs, or has ended since. */
function* isInUse({ range }: Day, beforeMs: number): Work<boolean> {
  const sql = 'SELECT 1 FROM turns WHERE id >= ? AND id < ? AND (settled_at IS NULL OR settled_at >= ?) LIMIT 1';
  return (yield* one(sql, ...range, beforeMs)) !== undefined;
}

function* hasReadable({ range }: Day): Work<boolean> {
  return (yield* one('SELECT 1 FROM journal_head WHERE turn >= ? AND turn < ? AND sealed < 2 LIMIT 1', ...range)) !== undefined;
}

/** Some of them: a head says that there is a journal, hidden or not. @returns whether there may be more */
function* dropHiddenHeads({ range }: Day): Work<boolean> {
  const sql = `DELETE FROM journal_head WHERE turn IN (
    SELECT turn FROM journal_head WHERE turn >= ? AND turn < ? AND sealed = 2 ORDER BY turn LIMIT ${headsAtOnce})`;
  return (yield* run(sql, ...range)) > 0;
}

/** False: it has a journal again, of an id that a client has chosen, or it is gone already. */
function* detachPartitions(day: Day): Work<boolean> {
  yield* lockPartitions();
  if (!(yield* partitionedDays()).has(day.name)) return false;
  yield* hurry();
  for (const table of tables) yield* run(`LOCK TABLE ONLY ${table} IN ACCESS EXCLUSIVE MODE`);
  if ((yield* one('SELECT 1 FROM journal_head WHERE turn >= ? AND turn < ? LIMIT 1', ...day.range)) !== undefined) return false;
  for (const table of tables) yield* run(`ALTER TABLE ${table} DETACH PARTITION ${partitionOf(table, day.name)}`);
  return true;
}

/** From here on locks are waited for for a moment only. */
function* hurry(): Work<void> {
  yield* run(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
}

/** Until the commit. */
function* lockPartitions(): Work<void> {
  yield* run(`SELECT pg_advisory_xact_lock(hashtextextended('partitions:' || current_schema(), 0))`);
}

function* partitionedDays(): Work<ReadonlySet<string>> {
  const rows = yield* all(
    `SELECT relname::text AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass('journal')`,
  );
  return new Set(rows.flatMap((row) => dayIn(row, 'journal') ?? []));
}

function* detachedTables(): Work<string[]> {
  const rows = yield* all(
    `SELECT relname::text AS name FROM pg_class
     WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND NOT relispartition AND relname ~ '_d[0-9]{8}$'`,
  );
  return tables.flatMap((table) => rows.flatMap((row) => dayIn(row, table) ?? []).map((name) => partitionOf(table, name)));
}

/** The name of a partition. @param day as in `20261231` */
export function partitionOf(table: string, day: string): string {
  return `${table}_d${day}`;
}

function dayIn(row: Row, table: (typeof tables)[number]): string | undefined {
  return new RegExp(`^${table}_d(\\d{8})$`).exec(String(row['name']))?.[1];
}

function dayNamed(name: string): Day {
  return dayOf(Date.UTC(Number(name.slice(0, 4)), Number(name.slice(4, 6)) - 1, Number(name.slice(6))));
}

function dayOf(atMs: number): Day {
  const startsAtMs = Math.floor(atMs / dayMs) * dayMs;
  const endsAtMs = startsAtMs + dayMs;
  const name = new Date(startsAtMs).toISOString().slice(0, 10).replaceAll('-', '');
  return { name, range: [firstIdAt(startsAtMs), firstIdAt(endsAtMs)], endsAtMs };
}

/** Not after any id of that time: `newId` has the same form. */
function firstIdAt(atMs: number): string {
  return `resp_${atMs.toString(16).padStart(12, '0')}`;
}
