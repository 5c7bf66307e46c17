/** What came from providers, as it was recorded, along with the writes that it led to. */
import type { RecordingPart } from '../../domain/turn/recording.ts';
import type { RecordingPage } from '../ports/recordings.ts';
import { hasJournal } from './journal-rows.ts';
import { all, run, type Work } from './work.ts';

/** Of a turn that has a journal: what is erased stays so, whoever comes late. A part that is written again changes nothing. */
export function* writeRecording(turn: string, parts: readonly RecordingPart[] | undefined): Work<void> {
  if (parts === undefined || parts.length === 0 || !(yield* hasJournal(turn))) return;
  const sql = `INSERT INTO recordings (turn, epoch, part, step, attempt, data) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (turn, epoch, part) DO NOTHING`;
  for (const { epoch, part, step, attempt, data } of parts) yield* run(sql, turn, epoch, part, step, attempt, data);
}

export function* readRecordings(turn: string, { after, limit }: RecordingPage = { limit: Number.MAX_SAFE_INTEGER }): Work<RecordingPart[]> {
  const sql = `SELECT epoch, part, step, attempt, data FROM recordings WHERE turn = ? AND (epoch, part) > (?, ?)
    AND EXISTS (SELECT 1 FROM journal_head WHERE journal_head.turn = recordings.turn AND sealed < 2) ORDER BY epoch, part LIMIT ?`;
  return (yield* all(sql, turn, after?.epoch ?? -1, after?.part ?? -1, limit)).map(({ epoch, part, step, attempt, data }) => ({
    epoch: Number(epoch),
    part: Number(part),
    step: Number(step),
    attempt: Number(attempt),
    data: data as Uint8Array,
  }));
}
