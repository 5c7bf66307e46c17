/** What is dropped: turns their owner deletes, what was not to be stored, and all that is past retention. One slice a commit. */
import type { IdRange, RetentionCursor, RetentionCut, UnstoredCut } from '../ports/retention.ts';
import type { Lease } from '../ports/leases.ts';
import { hasNext, placeIn } from './chain.ts';
import { all, lockSession, lockTurn, now, one, run, type Row, type SqlDatabase, type Work } from './work.ts';
import { dropItems, dropJournal, dropJournalOfKept, dropTurn, eraseMarked, idsIn, isLeaf, markErased } from './erase.ts';
import { Slice } from '../pace.ts';
import { StoreBusyError } from '../ports/store.ts';
import { text } from './rows.ts';
import { readByPublicId, readTurn } from './turns.ts';

/** A lease that lasts longer than the one that is asked for was given by a clock that has been set back since. */
export async function lead(db: SqlDatabase, task: string, { holder, lengthMs }: Lease): Promise<boolean> {
  const sql = `INSERT INTO leaders (task, holder, until) VALUES (?, ?, ?) ON CONFLICT (task) DO UPDATE SET holder = excluded.holder,
    until = excluded.until WHERE leaders.holder = excluded.holder OR leaders.until < ? OR leaders.until > excluded.until`;
  return db.commit('quick', function* () {
    const nowMs = yield* now();
    return (yield* run(sql, task, holder, nowMs + lengthMs, nowMs)) > 0;
  });
}

export async function deleteTurn(db: SqlDatabase, tenant: string, publicId: string, atMs: number): Promise<boolean> {
  const id = await db.commit('durable', function* () {
    const id = (yield* readByPublicId(tenant, publicId))?.id;
    if (id === undefined) return undefined;
    yield* lockTurn(id);
    const turn = yield* readTurn(id);
    if (turn === undefined || turn.settledAtMs === null) return undefined;
    if (turn.erasedBy === null) yield* markErased(turn.id, 'owner');
    return turn.id;
  });
  if (id === undefined) return false;
  for (let isGone = false; !isGone;) isGone = await db.commit('durable', () => eraseLocked(id, atMs, new Slice()));
  return true;
}

function* eraseLocked(id: string, atMs: number, slice: Slice): Work<boolean> {
  yield* lockTurn(id);
  return yield* eraseMarked(id, atMs, slice);
}

/** The items of a turn that was refused after they had been written. */
export async function dropStaged(db: SqlDatabase, turn: string): Promise<void> {
  for (let isGone = false; !isGone;) isGone = await db.commit('quick', () => dropStagedSlice(turn, new Slice()));
}

function* dropStagedSlice(turn: string, slice: Slice): Work<boolean> {
  if (!(yield* dropItems(turn, slice))) return false;
  yield* run('DELETE FROM staged WHERE turn = ?', turn);
  return true;
}

const erasing = 'SELECT id FROM turns INDEXED BY turns_erasing WHERE erased_by IS NOT NULL AND erased_at IS NULL';
const unstored = `SELECT id FROM turns INDEXED BY turns_unstored
  WHERE stored = 0 AND settled_at IS NOT NULL AND acknowledged = ? AND settled_at < ? AND (owner_run IS NULL OR settled_at < ?)
    AND (parent IS NULL OR NOT EXISTS (SELECT 1 FROM turns AS caller WHERE caller.id = turns.parent AND caller.settled_at IS NULL))`;
const staged = 'SELECT turn AS id FROM staged WHERE at < ?';
const earlyCancels = 'DELETE FROM early_cancels WHERE (tenant, id) IN (SELECT tenant, id FROM early_cancels WHERE at < ? LIMIT ?)';

export async function purgeUnstored(db: SqlDatabase, cut: UnstoredCut): Promise<number> {
  const { acknowledgedBeforeMs, settledBeforeMs, ownedBeforeMs = settledBeforeMs } = cut;
  return db.commit('quick', function* () {
    const slice = new Slice();
    const atMs = yield* now();
    const works = [
      ...(yield* idsIn(erasing, slice)).map((id) => () => eraseLocked(id, atMs, slice)),
      ...(yield* idsIn(unstored, slice, 1, acknowledgedBeforeMs, ownedBeforeMs)).map((id) => () => dropTurn(id, slice)),
      ...(yield* idsIn(unstored, slice, 0, settledBeforeMs, ownedBeforeMs)).map((id) => () => dropTurn(id, slice)),
      ...(yield* idsIn(staged, slice, settledBeforeMs)).map((id) => () => dropStagedSlice(id, slice)),
    ];
    const forgotten = (yield* allDone(works)) ? yield* run(earlyCancels, settledBeforeMs, slice.rowsLeft) : 0;
    return works.length === 0 ? forgotten : Math.max(slice.taken + forgotten, 1);
  });
}

/** One after the other, until one says that something is left. */
function* allDone(works: readonly (() => Work<boolean>)[]): Work<boolean> {
  for (const work of works) if (!(yield* work())) return false;
  return true;
}

/** The sessions first, then the turns from the newest back: what goes on from a turn is looked at before it. */
export async function expire(db: SqlDatabase, cut: RetentionCut, from: RetentionCursor): Promise<RetentionCursor | undefined> {
  const { phase } = from;
  const next = phase === 'turns' ? await expireTurnsButFailed(db, cut, from) : await db.commit('quick', () => phases[phase](cut, from));
  if (next === undefined) return undefined;
  const { wholeRanges, brokenRanges } = from;
  return { ...next, ...(wholeRanges && { wholeRanges }), ...(brokenRanges && { brokenRanges }) };
}

const phases = { sessions: expireSessions, hidden: expireHidden, stubs: expireStubs };

async function expireTurnsButFailed(db: SqlDatabase, cut: RetentionCut, from: RetentionCursor): Promise<RetentionCursor> {
  const failure: TurnFailure = {};
  try {
    return await db.commit('quick', () => expireTurns(cut, from, failure));
  } catch (error) {
    if (failure.of === undefined) throw error;
    // Those before it in the slice once more, as far as it.
    return db.commit('quick', () => expireTurns(cut, from, failure));
  }
}

/** Which turn the database fails with. */
interface TurnFailure {
  of?: { readonly ordinal: number; readonly error: unknown };
}

const sessionsInUse = `SELECT id, CASE WHEN touched_at >= ? OR EXISTS (SELECT 1 FROM turns INDEXED BY turns_unsettled
      WHERE settled_at IS NULL AND turns.tenant = sessions.tenant AND session = sessions.id)
    OR EXISTS (SELECT 1 FROM turns WHERE turns.id = leaf AND settled_at >= ?) THEN 1 ELSE 0 END AS used
  FROM sessions`;

function* expireSessions({ beforeMs }: RetentionCut, { after }: RetentionCursor): Work<RetentionCursor> {
  const slice = new Slice();
  const rows = yield* all(`${sessionsInUse} WHERE id > ? ORDER BY id LIMIT ?`, beforeMs, beforeMs, after?.key ?? '', slice.rowsLeft);
  for (const row of rows) if (row['used'] === 0) yield* dropUnused(text(row['id']), beforeMs);
  const last = rows.at(-1);
  if (last === undefined || rows.length < slice.rowsLeft) return { phase: 'turns' };
  return { phase: 'sessions', after: { atMs: 0, key: text(last['id']) } };
}

/** It may have been used since it was listed. */
function* dropUnused(id: string, beforeMs: number): Work<void> {
  yield* lockSession(id);
  const row = yield* one(`${sessionsInUse} WHERE id = ?`, beforeMs, beforeMs, id);
  if (row?.['used'] === 0) yield* run('DELETE FROM sessions WHERE id = ?', id);
}

/** Listed so many at once; of most of them much is to be dropped. */
const turnsAtOnce = 50;

/** @param failure is left out, and booked where there is one more */
function* expireTurns({ beforeMs, atMs }: RetentionCut, from: RetentionCursor, failure: TurnFailure): Work<RetentionCursor> {
  const slice = new Slice();
  const whole = from.wholeRanges ?? [];
  let after = from.after ?? { atMs: beforeMs, key: 0 };
  for (;;) {
    const rows = yield* all(
      `SELECT id, ordinal, settled_at, branch, depth, erased_by FROM turns INDEXED BY turns_by_end
       WHERE settled_at IS NOT NULL AND (erased_at IS NULL OR erased_by = 'owner') AND (settled_at, ordinal) < (?, ?)
       ORDER BY settled_at DESC, ordinal DESC LIMIT ${turnsAtOnce}`,
      after.atMs,
      after.key,
    );
    for (const row of rows) {
      const place = { atMs: Number(row['settled_at']), key: Number(row['ordinal']) };
      if (failure.of?.ordinal === place.key) {
        return { phase: 'turns', after: place, failed: { turn: text(row['id']), error: failure.of.error } };
      }
      if (slice.isFull) return { phase: 'turns', after };
      try {
        if (!(yield* expireTurn(row, { atMs, slice, whole }))) return { phase: 'turns', after };
      } catch (error) {
        if (!(error instanceof StoreBusyError)) failure.of = { ordinal: place.key, error };
        throw error;
      }
      slice.add(0);
      after = place;
    }
    if (rows.length < turnsAtOnce) return { phase: from.brokenRanges?.length ? 'hidden' : 'stubs' };
  }
}

/** False while something is left. The past of a turn that is kept is kept with it, but for its journal. */
function* expireTurn(
  row: Row,
  { atMs, slice, whole }: { readonly atMs: number; readonly slice: Slice; readonly whole: readonly IdRange[] },
): Work<boolean> {
  const [id, place] = [text(row['id']), placeIn(row)];
  const isWhole = whole.some(([from, to]) => id >= from && id < to);
  // Whoever goes on from it has done so before, or finds it gone.
  yield* lockTurn(id);
  const isPast = (yield* isLeaf(id)) || (place !== undefined && (yield* hasNext(place)));
  if (isPast) return yield* dropJournalOfKept(id, slice, isWhole);
  // For its owner it is gone already: what was left are the items that others went on from.
  if (row['erased_by'] === 'owner') return yield* dropTurn(id, slice);
  if (row['erased_by'] === null) yield* markErased(id, 'retention');
  return yield* eraseMarked(id, atMs, slice, isWhole);
}

/** Journals that were hidden, to be dropped with all of their day, of days that others go on in. */
function* expireHidden(_cut: RetentionCut, { brokenRanges = [] }: RetentionCursor): Work<RetentionCursor> {
  const slice = new Slice();
  const hidden: string[] = [];
  for (const range of brokenRanges) {
    hidden.push(...(yield* idsIn('SELECT turn AS id FROM journal_head WHERE turn >= ? AND turn < ? AND sealed = 2', slice, ...range)));
  }
  const isDone = yield* allDone(hidden.map((id) => () => dropJournal(id, slice)));
  return { phase: hidden.length === 0 && isDone ? 'stubs' : 'hidden' };
}

/** A stub says that there was a turn (410); it goes after as long again. */
function* expireStubs({ beforeMs }: RetentionCut): Work<RetentionCursor | undefined> {
  const slice = new Slice();
  const stubs = yield* idsIn(
    `SELECT id FROM turns INDEXED BY turn_stubs WHERE erased_by = 'retention' AND erased_at IS NOT NULL AND erased_at < ?`,
    slice,
    beforeMs,
  );
  const isDone = yield* allDone(stubs.map((id) => () => dropTurn(id, slice)));
  return stubs.length === 0 && isDone ? undefined : { phase: 'stubs' };
}
