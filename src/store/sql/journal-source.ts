/** What the live tail reads of the journals. */
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { BatchLimits, JournalSource, LiveHead } from '../live/source.ts';
import { rowsAfter } from './journal.ts';
import { journalRow, text } from './rows.ts';
import { all, scan, type SqlDatabase, type Work } from './work.ts';

export function journalSource(db: SqlDatabase): JournalSource {
  return {
    readHeads: (turns) => db.read(() => readHeads(turns)),
    readRows: (turn, after, limits) => db.read(() => readRows(turn, after, limits)),
  };
}

function* readHeads(turns: readonly string[]): Work<ReadonlyMap<string, LiveHead>> {
  // 2: it is being dropped, and as good as gone.
  const sql = 'SELECT turn, next_seq, sealed FROM journal_head WHERE turn IN (SELECT value FROM json_each(?)) AND sealed < 2';
  const rows = yield* all(sql, JSON.stringify(turns));
  return new Map(rows.map((row) => [text(row['turn']), { last: Number(row['next_seq']) - 1, isSealed: row['sealed'] === 1 }]));
}

/** A piece of the journal, as large as the limits allow. */
function* readRows(turn: string, after: number, limits: BatchLimits): Work<JournalRow[]> {
  const rows: JournalRow[] = [];
  let chars = 0;
  yield* scan(rowsAfter, [turn, after, turn, limits.rows], (each) => {
    const row = journalRow(each);
    rows.push(row);
    chars += row.data.length;
    return chars < limits.chars;
  });
  return rows;
}
