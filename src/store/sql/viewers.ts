/** Who followed a turn, and how far. */
import { mostViewers, type ViewerRow } from '../../domain/turn/viewer.ts';
import { hasJournal } from './journal-rows.ts';
import { all, run, type Row, type SqlDatabase, type Work } from './work.ts';
import { text } from './rows.ts';

const note = `INSERT INTO viewers (turn, id, protocol, opened_at, from_seq, last_seq, last_at, closed_at, ended)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (turn, opened_at, id) DO UPDATE SET last_seq = excluded.last_seq, last_at = excluded.last_at, closed_at = excluded.closed_at, ended = excluded.ended`;

const dropOldest = `DELETE FROM viewers WHERE turn = ? AND (opened_at, id) <= (
  SELECT opened_at, id FROM viewers WHERE turn = ? ORDER BY opened_at DESC, id DESC LIMIT 1 OFFSET ${mostViewers})`;

export async function noteViewers(db: SqlDatabase, viewers: readonly ViewerRow[]): Promise<void> {
  return db.commit('quick', function* () {
    for (const { turn, id, protocol, openedAtMs, fromSeq, lastSeq, lastAtMs = null, closedAtMs = null, end = null } of viewers)
      if (yield* hasJournal(turn)) yield* run(note, turn, id, protocol, openedAtMs, fromSeq, lastSeq, lastAtMs, closedAtMs, end);
    for (const turn of new Set(viewers.map((viewer) => viewer.turn))) yield* run(dropOldest, turn, turn);
  });
}

export function* readViewers(turn: string): Work<ViewerRow[]> {
  return (yield* all('SELECT * FROM viewers WHERE turn = ? ORDER BY opened_at, id', turn)).map(viewerOf);
}

export function* dropViewers(turn: string): Work<void> {
  yield* run('DELETE FROM viewers WHERE turn = ?', turn);
}

function viewerOf(row: Row): ViewerRow {
  return {
    turn: text(row['turn']),
    id: text(row['id']),
    protocol: row['protocol'] as ViewerRow['protocol'],
    openedAtMs: Number(row['opened_at']),
    fromSeq: Number(row['from_seq']),
    lastSeq: Number(row['last_seq']),
    ...(row['last_at'] === null ? {} : { lastAtMs: Number(row['last_at']) }),
    ...(row['closed_at'] === null ? {} : { closedAtMs: Number(row['closed_at']) }),
    ...(row['ended'] === null ? {} : { end: row['ended'] as NonNullable<ViewerRow['end']> }),
  };
}
