/** Writes rows into a journal, under the epoch of whoever may write it (T7). */
import type { JournalRow } from '../../domain/response/response-event.ts';
import { one, run, together, type Value, type Work } from './work.ts';

/**
 * Moves the head on and writes the rows; false, and nothing written, when this epoch may not write (any more).
 * @param more what else becomes of the head, by `values`
 */
export function* writeRows(turn: string, epoch: number, rows: readonly JournalRow[], more?: string, ...values: Value[]): Work<boolean> {
  const [first] = rows;
  const set = more === undefined ? 'next_seq = ?' : `next_seq = ?, ${more}`;
  const may = 'turn = ? AND epoch = ? AND sealed = 0';
  const moved =
    first === undefined
      ? yield* run(`UPDATE journal_head SET ${more ?? 'epoch = epoch'} WHERE ${may}`, ...values, turn, epoch)
      : yield* run(
          `UPDATE journal_head SET ${set} WHERE ${may} AND next_seq = ?`,
          first.seq + rows.length,
          ...values,
          turn,
          epoch,
          first.seq,
        );
  if (moved === 0) return false;
  yield* insertRows(turn, rows);
  return true;
}

/** A statement for each: one for several saves nothing, since SQLite then keeps a copy of what it changes. */
export function* insertRows(turn: string, rows: readonly JournalRow[]): Work<void> {
  const sql = 'INSERT INTO journal (turn, seq, type, data) VALUES (?, ?, ?, ?)';
  yield* together(
    rows.map(
      ({ seq, type, data }) =>
        () =>
          run(sql, turn, seq, type, data),
    ),
  );
}

/** Rows that go with a journal are written as long as there is one: what is erased stays so, whoever comes late. */
export function* hasJournal(turn: string): Work<boolean> {
  return (yield* one('SELECT 1 FROM journal_head WHERE turn = ? AND sealed < 2', turn)) !== undefined;
}
