/** One bite of a journal, as big as one who follows it may hold in memory. */
import type { JournalRow } from '../../domain/response-event.ts';
import type { Database } from './database.ts';
import { journalRow } from './rows.ts';

export const followBatchRows = 256;
/** Of the rows' data. A single row may be larger. */
const followBatchChars = 65_536;

/** The rows behind `after`, at least one where there is one. */
export function readBatch(db: Database, turn: string, after: number): JournalRow[] {
  const rows: JournalRow[] = [];
  let chars = 0;
  const sql = 'SELECT seq, type, data FROM journal WHERE turn = ? AND seq > ? ORDER BY seq LIMIT ?';
  for (const row of db.each(sql, turn, after, followBatchRows)) {
    const read = journalRow(row);
    rows.push(read);
    chars += read.data.length;
    if (chars >= followBatchChars) break;
  }
  return rows;
}
