/**
 * What a turn said is deleted in slices (T14). The turn is marked first, which hides it; when all is gone, it says so. What a
 * killed process has marked, anybody can finish.
 */
import type { TurnRow } from '../../domain/turn/turn.ts';
import { hasNext, placeIn } from './chain.ts';
import { dropCompletion } from './completions.ts';
import type { Database } from './database.ts';
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
export function markErased(db: Database, id: string, by: NonNullable<TurnRow['erasedBy']>): void {
  db.run('DELETE FROM turn_content WHERE ordinal = (SELECT ordinal FROM turns WHERE id = ?)', id);
  dropCompletion(db, id);
  db.run('UPDATE turns SET erased_by = ?, usage = NULL, input_count = 0 WHERE id = ?', by, id);
  dropWebhook(db, id);
  hideJournal(db, id);
}

/** False while something is left, for which there is no room in this slice. */
export function eraseMarked(db: Database, id: string, atMs: number, slice: Slice): boolean {
  const row = db.one('SELECT erased_by, session, branch, depth FROM turns WHERE id = ?', id);
  if (row === undefined) return true;
  if (!dropJournal(db, id, slice)) return false;
  // Its items are also those of its session, and of whatever goes on from it.
  const place = placeIn(row);
  const isPast = row['erased_by'] === 'owner' && (row['session'] !== null || isLeaf(db, id) || (place !== undefined && hasNext(db, place)));
  if (!isPast && !dropItems(db, id, slice)) return false;
  db.run('DELETE FROM attempts WHERE turn = ?', id);
  db.run('DELETE FROM tool_calls WHERE turn = ?', id);
  db.run('DELETE FROM approvals WHERE turn = ?', id);
  db.run('UPDATE turns SET erased_at = ? WHERE id = ?', atMs, id);
  return true;
}

/** Does a session go on from it? Of a turn without a session of its own, one that was forked from it. */
export function isLeaf(db: Database, turn: string): boolean {
  return db.one('SELECT 1 FROM sessions WHERE leaf = ? LIMIT 1', turn) !== undefined;
}

/** All of it, and the branch it began: whatever stood in that is gone too. False while something is left. */
export function dropTurn(db: Database, id: string, slice: Slice): boolean {
  if (!dropJournal(db, id, slice) || !dropItems(db, id, slice)) return false;
  db.run('DELETE FROM attempts WHERE turn = ?', id);
  db.run('DELETE FROM tool_calls WHERE turn = ?', id);
  db.run('DELETE FROM approvals WHERE turn = ?', id);
  dropWebhook(db, id);
  db.run('DELETE FROM branches WHERE id = ?', id);
  db.run('DELETE FROM turn_content WHERE ordinal = (SELECT ordinal FROM turns WHERE id = ?)', id);
  dropCompletion(db, id);
  db.run('DELETE FROM turns WHERE id = ?', id);
  slice.add(0);
  return true;
}

/** The journal of a turn that is kept: the response, which its last row has, is kept beside the turn. False while something is left. */
export function dropJournalOfKept(db: Database, id: string, slice: Slice): boolean {
  const head = db.one('SELECT sealed, next_seq FROM journal_head WHERE turn = ?', id);
  if (head === undefined) return true;
  if (head['sealed'] === 1) {
    db.run(
      `UPDATE turn_content SET response = (SELECT data -> '$.response' FROM journal WHERE turn = ? AND seq = ?)
       WHERE ordinal = (SELECT ordinal FROM turns WHERE id = ?)`,
      id,
      Number(head['next_seq']) - 1,
      id,
    );
    hideJournal(db, id);
  }
  return dropJournal(db, id, slice);
}

export function dropItems(db: Database, turn: string, slice: Slice): boolean {
  return dropRows(db, hidden, turn, slice) && dropRows(db, items, turn, slice);
}

function dropJournal(db: Database, turn: string, slice: Slice): boolean {
  keepNewestOrdinal(db, turn);
  if (!dropRows(db, recordings, turn, slice) || !dropRows(db, journal, turn, slice)) return false;
  dropViewers(db, turn);
  db.run('DELETE FROM journal_head WHERE turn = ?', turn);
  return true;
}

/**
 * SQLite numbers a row behind the newest that there is. A number that was given twice would be nothing new to those who ask
 * for what came after it (`watch-journals.ts`): so a row of no turn stands for the newest, where that is dropped.
 */
function keepNewestOrdinal(db: Database, turn: string): void {
  const newest = db.one('SELECT turn FROM journal WHERE ordinal = (SELECT max(ordinal) FROM journal)');
  if (newest?.['turn'] !== turn) return;
  db.run(`DELETE FROM journal WHERE turn = ''`);
  db.run(`INSERT INTO journal (turn, seq, type, data) VALUES ('', 0, '', '')`);
}

/** For those who ask it is gone. Its head goes with its last row, so that a journal that is half dropped is found again. */
function hideJournal(db: Database, turn: string): void {
  db.run('UPDATE journal_head SET sealed = 2 WHERE turn = ?', turn);
}

function dropRows(db: Database, { list, drop, place }: RowsOfTurn, turn: string, slice: Slice): boolean {
  const limit = slice.rowsLeft;
  const rows = db.all(list, turn, limit);
  let taken = 0;
  while (taken < rows.length && !slice.isFull) {
    slice.add(Number(rows[taken]?.['bytes']));
    taken += 1;
  }
  const last = rows[taken - 1];
  if (last !== undefined) db.run(drop, turn, ...place.map((column) => Number(last[column])));
  return taken === rows.length && rows.length < limit;
}

/** Ids, as many as there is room for. */
export function idsIn(db: Database, sql: string, slice: Slice, ...values: readonly (string | number)[]): string[] {
  return db.all(`${sql} LIMIT ?`, ...values, slice.rowsLeft).map((row) => text(row['id']));
}
