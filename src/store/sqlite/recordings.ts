/** What came from providers, as it was recorded, along with the writes that it led to. */
import type { RecordingPart } from '../../domain/turn/recording.ts';
import type { RecordingPage } from '../ports/recordings.ts';
import type { Database } from './database.ts';

/** Of a turn that has a journal: what is erased stays so, whoever comes late. A part that is written again changes nothing. */
export function writeRecording(db: Database, turn: string, parts: readonly RecordingPart[] | undefined): void {
  for (const { epoch, part, step, attempt, data } of parts ?? []) {
    db.run(
      `INSERT INTO recordings (turn, epoch, part, step, attempt, data) SELECT ?, ?, ?, ?, ?, ?
       WHERE EXISTS (SELECT 1 FROM journal_head WHERE turn = ? AND sealed < 2) ON CONFLICT DO NOTHING`,
      turn,
      epoch,
      part,
      step,
      attempt,
      data,
      turn,
    );
  }
}

export function readRecordings(db: Database, turn: string, { after, limit }: RecordingPage = { limit: -1 }): RecordingPart[] {
  const sql = `SELECT epoch, part, step, attempt, data FROM recordings WHERE turn = ? AND (epoch, part) > (?, ?)
    AND EXISTS (SELECT 1 FROM journal_head WHERE journal_head.turn = recordings.turn AND sealed < 2) ORDER BY epoch, part LIMIT ?`;
  return db.all(sql, turn, after?.epoch ?? -1, after?.part ?? -1, limit).map(({ epoch, part, step, attempt, data }) => ({
    epoch: Number(epoch),
    part: Number(part),
    step: Number(step),
    attempt: Number(attempt),
    data: data as Uint8Array,
  }));
}
