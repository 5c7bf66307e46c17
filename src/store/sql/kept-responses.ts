/** Answers that their providers keep: what a process that goes on with an attempt has to know. */
import type { AttemptKey } from '../../domain/turn/attempt.ts';
import type { KeptAttempt } from '../../domain/turn/claim.ts';
import { type KeptResponse, mostReattachments, type Reattachment } from '../../domain/turn/kept-response.ts';
import { all, lockTurn, now, one, run, type SqlDatabase, type Value, type Work } from './work.ts';
import { parsed, text } from './rows.ts';

type Held<T> = AttemptKey & { readonly epoch: number } & T;

const isHeld = `turn = ? AND step = ? AND attempt = ? AND ended_at IS NULL
  AND EXISTS (SELECT 1 FROM journal_head WHERE journal_head.turn = attempts.turn AND journal_head.epoch = ? AND sealed = 0)`;

export async function bookKeptResponse(
  db: SqlDatabase,
  { turn, step, attempt, epoch, response }: Held<{ readonly response: KeptResponse }>,
): Promise<boolean> {
  const sql = `UPDATE attempts SET response_id = ?, response_after = ? WHERE ${isHeld}`;
  return db.commit('quick', function* () {
    yield* lockTurn(turn);
    return (yield* run(sql, response.id, response.after, turn, step, attempt, epoch)) > 0;
  });
}

export async function noteReattachment(
  db: SqlDatabase,
  { turn, step, attempt, epoch, reattachment }: Held<{ readonly reattachment: Reattachment }>,
): Promise<void> {
  return db.commit('quick', function* () {
    yield* lockTurn(turn);
    const held = yield* one(`SELECT reattached FROM attempts WHERE ${isHeld}`, turn, step, attempt, epoch);
    if (held !== undefined) yield* addReattachment({ turn, step, attempt }, held['reattached'], reattachment);
  });
}

/** Behind those that are known, as long as there are not too many. Under the epoch of whoever holds the turn: it writes alone. */
function* addReattachment({ turn, step, attempt }: AttemptKey, known: Value | undefined, note: Reattachment): Work<void> {
  const notes = known == null ? [] : parsed<readonly Reattachment[]>(known);
  if (notes.length >= mostReattachments) return;
  const sql = 'UPDATE attempts SET reattached = ? WHERE turn = ? AND step = ? AND attempt = ?';
  yield* run(sql, JSON.stringify([...notes, note]), turn, step, attempt);
}

export async function passOn(db: SqlDatabase, { turn, step, attempt, epoch }: Held<object>): Promise<void> {
  const sql = `UPDATE journal_head SET lease_until = NULL, due_at = ? WHERE turn = ? AND epoch = ? AND sealed = 0
    AND EXISTS (SELECT 1 FROM attempts WHERE attempts.turn = journal_head.turn AND attempts.step = ? AND attempt = ? AND ended_at IS NULL)`;
  return db.commit('quick', function* () {
    yield* lockTurn(turn);
    yield* run(sql, yield* now(), turn, epoch, step, attempt);
  });
}

export function* keptAttempt(turn: string, step: number): Work<KeptAttempt | undefined> {
  const sql = `SELECT attempt, response_id, response_after FROM attempts
    WHERE turn = ? AND step = ? AND ended_at IS NULL AND response_id IS NOT NULL ORDER BY attempt DESC LIMIT 1`;
  const row = yield* one(sql, turn, step);
  if (row === undefined) return undefined;
  return { attempt: Number(row['attempt']), response: { id: text(row['response_id']), after: Number(row['response_after']) } };
}

/** Another process goes on with an attempt, and has claimed its turn under this epoch. */
export function* takeOverAttempt(
  key: AttemptKey,
  { epoch, holder, reason }: { epoch: number; holder: string; reason: string },
): Work<void> {
  const { turn, step, attempt } = key;
  yield* run('UPDATE attempts SET epoch = ?, holder = ? WHERE turn = ? AND step = ? AND attempt = ?', epoch, holder, turn, step, attempt);
  const row = yield* one('SELECT reattached FROM attempts WHERE turn = ? AND step = ? AND attempt = ?', turn, step, attempt);
  yield* addReattachment(key, row?.['reattached'], { atMs: yield* now(), reason });
}

/** Of the turn, whose attempts are about to be booked as lost. */
export function* openKeptResponses(turn: string): Work<string[]> {
  const sql = 'SELECT response_id FROM attempts WHERE turn = ? AND ended_at IS NULL AND response_id IS NOT NULL';
  return (yield* all(sql, turn)).map((row) => text(row['response_id']));
}
