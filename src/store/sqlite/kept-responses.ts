/** Answers that their providers keep: what a process that goes on with an attempt has to know. */
import type { AttemptKey } from '../../domain/turn/attempt.ts';
import type { KeptAttempt } from '../../domain/turn/claim.ts';
import { type KeptResponse, mostReattachments, type Reattachment } from '../../domain/turn/kept-response.ts';
import type { Database } from './database.ts';
import { text } from './rows.ts';

type Held<T> = AttemptKey & { readonly epoch: number } & T;

const isHeld = `turn = ? AND step = ? AND attempt = ? AND ended_at IS NULL
  AND EXISTS (SELECT 1 FROM journal_head WHERE journal_head.turn = attempts.turn AND journal_head.epoch = ? AND sealed = 0)`;

export async function bookKeptResponse(
  db: Database,
  { turn, step, attempt, epoch, response }: Held<{ readonly response: KeptResponse }>,
): Promise<boolean> {
  const sql = `UPDATE attempts SET response_id = ?, response_after = ? WHERE ${isHeld}`;
  return db.commit('quick', () => db.run(sql, response.id, response.after, turn, step, attempt, epoch) > 0);
}

export async function noteReattachment(
  db: Database,
  { turn, step, attempt, epoch, reattachment }: Held<{ readonly reattachment: Reattachment }>,
): Promise<void> {
  const sql = `UPDATE attempts SET reattached = json_insert(coalesce(reattached, '[]'), '$[#]', json(?)) WHERE ${isHeld}
    AND json_array_length(coalesce(reattached, '[]')) < ?`;
  return db.commit('quick', () => {
    db.run(sql, JSON.stringify(reattachment), turn, step, attempt, epoch, mostReattachments);
  });
}

export async function passOn(db: Database, { turn, step, attempt, epoch }: Held<object>): Promise<void> {
  const sql = `UPDATE journal_head SET lease_until = NULL, due_at = ? WHERE turn = ? AND epoch = ? AND sealed = 0
    AND EXISTS (SELECT 1 FROM attempts WHERE attempts.turn = journal_head.turn AND attempts.step = ? AND attempt = ? AND ended_at IS NULL)`;
  return db.commit('quick', () => {
    db.run(sql, Date.now(), turn, epoch, step, attempt);
  });
}

export function keptAttempt(db: Database, turn: string, step: number): KeptAttempt | undefined {
  const sql = `SELECT attempt, response_id, response_after FROM attempts
    WHERE turn = ? AND step = ? AND ended_at IS NULL AND response_id IS NOT NULL ORDER BY attempt DESC LIMIT 1`;
  const row = db.one(sql, turn, step);
  if (row === undefined) return undefined;
  return { attempt: Number(row['attempt']), response: { id: text(row['response_id']), after: Number(row['response_after']) } };
}

/** Another process goes on with an attempt, and has claimed its turn under this epoch. */
export function takeOverAttempt(
  db: Database,
  key: AttemptKey,
  { epoch, holder, reason }: { epoch: number; holder: string; reason: string },
): void {
  const { turn, step, attempt } = key;
  const note: Reattachment = { atMs: Date.now(), reason };
  db.run(
    `UPDATE attempts SET epoch = ?, holder = ?, reattached = iif(json_array_length(coalesce(reattached, '[]')) < ?,
       json_insert(coalesce(reattached, '[]'), '$[#]', json(?)), reattached)
     WHERE turn = ? AND step = ? AND attempt = ?`,
    epoch,
    holder,
    mostReattachments,
    JSON.stringify(note),
    turn,
    step,
    attempt,
  );
}

/** Of the turn, whose attempts are about to be booked as lost. */
export function openKeptResponses(db: Database, turn: string): string[] {
  const sql = 'SELECT response_id FROM attempts WHERE turn = ? AND ended_at IS NULL AND response_id IS NOT NULL';
  return db.all(sql, turn).map((row) => text(row['response_id']));
}
