/**
 * What a turn said is deleted in slices (T14). The turn is marked first, which hides it; when all is gone, it says so. What a
 * killed process has marked, anybody can finish.
 */
import type { TurnRow } from '../../domain/turn/turn.ts';
import { hasNext, placeIn } from './chain.ts';
import { dropCompletion } from './completions.ts';
import { all, one, onlyIn, type Row, run, type Work } from './work.ts';
import type { Slice } from '../pace.ts';
import { text } from './rows.ts';
import { dropViewers } from './viewers.ts';
import { dropWebhook } from './webhooks.ts';

interface RowsOfTurn {
  readonly list: string;
  /** Those up to the place of one. */
  readonly drop: string;
  /** The columns of a place. */
  readonly place: readonly string[];
}

const journal: RowsOfTurn = {
  list: 'SELECT seq, octet_length(data) AS bytes FROM journal WHERE turn = ? ORDER BY seq LIMIT ?',
  drop: 'DELETE FROM journal WHERE turn = ? AND seq <= ?',
  place: ['seq'],
};

const recordings: RowsOfTurn = {
  list: 'SELECT epoch, part, octet_length(data) AS bytes FROM recordings WHERE turn = ? ORDER BY epoch, part LIMIT ?',
  drop: 'DELETE FROM recordings WHERE turn = ? AND (epoch, part) <= (?, ?)',
  place: ['epoch', 'part'],
};

const items: RowsOfTurn = {
  list: 'SELECT position, octet_length(item) AS bytes FROM items WHERE turn = ? ORDER BY position LIMIT ?',
  drop: 'DELETE FROM items WHERE turn = ? AND position <= ?',
  place: ['position'],
};

const hidden: RowsOfTurn = {
  list: 'SELECT rowid AS place, octet_length(encrypted) AS bytes FROM hidden_reasoning WHERE turn = ? ORDER BY rowid LIMIT ?',
  drop: 'DELETE FROM hidden_reasoning WHERE turn = ? AND rowid <= ?',
  place: ['place'],
};

/** Nobody sees from now on what the turn said; `eraseMarked` deletes it. */
export function* markErased(id: string, by: NonNullable<TurnRow['erasedBy']>): Work<void> {
  yield* run('DELETE FROM turn_content WHERE ordinal = (SELECT ordinal FROM turns WHERE id = ?)', id);
  yield* dropCompletion(id);
  yield* run('UPDATE turns SET erased_by = ?, usage = NULL, input_count = 0 WHERE id = ?', by, id);
  yield* dropWebhook(id);
  yield* hideJournal(id);
}

/**
 * False while something is left, for which there is no room in this slice. Under `lockTurn`: nobody begins to go on from it meanwhile.
 * @param isWhole its journal is hidden, and goes with those of others, all at once
 */
export function* eraseMarked(id: string, atMs: number, slice: Slice, isWhole = false): Work<boolean> {
  const row = yield* one('SELECT erased_by, session, branch, depth FROM turns WHERE id = ?', id);
  if (row === undefined) return true;
  if (isWhole) yield* dropViewers(id);
  else if (!(yield* dropJournal(id, slice))) return false;
  // Its items are also those of its session, and of whatever goes on from it.
  const isPast = row['erased_by'] === 'owner' && (yield* isPastOfOthers(id, row));
  if (!isPast && !(yield* dropItems(id, slice))) return false;
  yield* run('DELETE FROM attempts WHERE turn = ?', id);
  yield* run('DELETE FROM tool_calls WHERE turn = ?', id);
  yield* run('DELETE FROM approvals WHERE turn = ?', id);
  yield* run('UPDATE turns SET erased_at = ? WHERE id = ?', atMs, id);
  return true;
}

function* isPastOfOthers(id: string, row: Row): Work<boolean> {
  const place = placeIn(row);
  return row['session'] !== null || (yield* isLeaf(id)) || (place !== undefined && (yield* hasNext(place)));
}

/** Are its words there to go on from? Of a turn that its owner has deleted those that are the past of others. */
export function* isThere(id: string): Work<boolean> {
  const row = yield* one('SELECT erased_by, session, branch, depth FROM turns WHERE id = ?', id);
  if (row === undefined || row['erased_by'] === 'retention') return false;
  return row['erased_by'] === null || (yield* isPastOfOthers(id, row));
}

/** Does a session go on from it? Of a turn without a session of its own, one that was forked from it. */
export function* isLeaf(turn: string): Work<boolean> {
  return (yield* one('SELECT 1 FROM sessions WHERE leaf = ? LIMIT 1', turn)) !== undefined;
}

/** All of it, and the branch it began: whatever stood in that is gone too. False while something is left. */
export function* dropTurn(id: string, slice: Slice): Work<boolean> {
  if (!(yield* dropJournal(id, slice)) || !(yield* dropItems(id, slice))) return false;
  yield* run('DELETE FROM attempts WHERE turn = ?', id);
  yield* run('DELETE FROM tool_calls WHERE turn = ?', id);
  yield* run('DELETE FROM approvals WHERE turn = ?', id);
  yield* dropWebhook(id);
  yield* run('DELETE FROM branches WHERE id = ?', id);
  yield* run('DELETE FROM turn_content WHERE ordinal = (SELECT ordinal FROM turns WHERE id = ?)', id);
  yield* dropCompletion(id);
  yield* run('DELETE FROM turns WHERE id = ?', id);
  slice.add(0);
  return true;
}

/**
 * The journal of a turn that is kept: the response, which its last row has, is kept beside the turn, unless the database cannot read
 * it. False while something is left.
 * @param isWhole it is only hidden, and goes with those of others, all at once
 */
export function* dropJournalOfKept(id: string, slice: Slice, isWhole = false): Work<boolean> {
  const head = yield* one('SELECT sealed, next_seq FROM journal_head WHERE turn = ?', id);
  if (head === undefined) return true;
  if (head['sealed'] === 1) {
    yield* run(
      `UPDATE turn_content SET response = (SELECT CASE WHEN json_valid(data) THEN data -> '$.response' END FROM journal WHERE turn = ? AND seq = ?)
       WHERE ordinal = (SELECT ordinal FROM turns WHERE id = ?)`,
      id,
      Number(head['next_seq']) - 1,
      id,
    );
    yield* hideJournal(id);
    if (isWhole) yield* dropViewers(id);
  }
  return isWhole || (yield* dropJournal(id, slice));
}

export function* dropItems(turn: string, slice: Slice): Work<boolean> {
  return (yield* dropRows(hidden, turn, slice)) && (yield* dropRows(items, turn, slice));
}

/** False while something is left. */
export function* dropJournal(turn: string, slice: Slice): Work<boolean> {
  yield* keepNewestOrdinal(turn);
  if (!(yield* dropRows(recordings, turn, slice)) || !(yield* dropRows(journal, turn, slice))) return false;
  yield* dropViewers(turn);
  yield* run('DELETE FROM journal_head WHERE turn = ?', turn);
  return true;
}

/**
 * SQLite numbers a row behind the newest that there is. A number that was given twice would be nothing new to those who ask
 * for what came after it (`watch-journals.ts`): so a row of no turn stands for the newest, where that is dropped.
 */
function* keepNewestOrdinal(turn: string): Work<void> {
  const isNewest = '? = (SELECT turn FROM journal WHERE ordinal = (SELECT max(ordinal) FROM journal))';
  yield* onlyIn('sqlite', `DELETE FROM journal WHERE turn = '' AND ${isNewest}`, turn);
  yield* onlyIn('sqlite', `INSERT INTO journal (turn, seq, type, data) SELECT '', 0, '', '' WHERE ${isNewest}`, turn);
}

/** For those who ask it is gone. Its head goes with its last row, so that a journal that is half dropped is found again. */
function* hideJournal(turn: string): Work<void> {
  yield* run('UPDATE journal_head SET sealed = 2 WHERE turn = ?', turn);
}

function* dropRows({ list, drop, place }: RowsOfTurn, turn: string, slice: Slice): Work<boolean> {
  const limit = slice.rowsLeft;
  const rows = yield* all(list, turn, limit);
  let taken = 0;
  while (taken < rows.length && !slice.isFull) {
    slice.add(Number(rows[taken]?.['bytes']));
    taken += 1;
  }
  const last = rows[taken - 1];
  if (last !== undefined) yield* run(drop, turn, ...place.map((column) => Number(last[column])));
  return taken === rows.length && rows.length < limit;
}

/** Ids, as many as there is room for. */
export function* idsIn(sql: string, slice: Slice, ...values: readonly (string | number)[]): Work<string[]> {
  return (yield* all(`${sql} LIMIT ?`, ...values, slice.rowsLeft)).map((row) => text(row['id']));
}
