/** Writes rows into a journal, under the epoch of whoever may write it (T7). */
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { Database } from './database.ts';

/**
 * Moves the head on and writes the rows; false, and nothing written, when this epoch may not write (any more).
 * @param more what else becomes of the head
 */
export function writeRows(db: Database, turn: string, epoch: number, rows: readonly JournalRow[], more?: string): boolean {
  const [first] = rows;
  const set = more === undefined ? 'next_seq = ?' : `next_seq = ?, ${more}`;
  const may = 'turn = ? AND epoch = ? AND sealed = 0';
  const moved =
    first === undefined
      ? db.run(`UPDATE journal_head SET ${more ?? 'epoch = epoch'} WHERE ${may}`, turn, epoch)
      : db.run(`UPDATE journal_head SET ${set} WHERE ${may} AND next_seq = ?`, first.seq + rows.length, turn, epoch, first.seq);
  if (moved === 0) return false;
  insertRows(db, turn, rows);
  return true;
}

/** A statement for each: one for several saves nothing, since SQLite then keeps a copy of what it changes. */
export function insertRows(db: Database, turn: string, rows: readonly JournalRow[]): void {
  for (const { seq, type, data } of rows) db.run('INSERT INTO journal (turn, seq, type, data) VALUES (?, ?, ?, ?)', turn, seq, type, data);
}
