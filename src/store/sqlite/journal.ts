/** The fenced journal of a turn: claim, fence, append, seal, read (T2, T6, T7). */
import type { AttemptEnd, AttemptKey } from '../../domain/attempt.ts';
import { decideClaim, settledStatusOf } from '../../domain/claim.ts';
import { type JournalRow, journalRowOf, type ResponseEvent } from '../../domain/response-event.ts';
import { ResponseStream } from '../../domain/response-stream.ts';
import type { TurnStatus } from '../../domain/turn-state.ts';
import type { BatchLimits } from '../live/source.ts';
import type { Append, Claim, ClaimRequest, JournalHead, Seal, SealResult } from '../ports/journal.ts';
import { bookAttempt, claimFacts, endAttempt, loseOpenAttempts, startAttempt } from './attempts.ts';
import type { Database } from './database.ts';
import { fenceLease, releaseLease, takeLease } from './leases.ts';
import { journalRow } from './rows.ts';
import { insertItems, readyNext, recordThrough } from './transcript.ts';
import { requireTurn } from './turns.ts';

/** `rows`: what the claim has appended. */
export async function claim(db: Database, request: ClaimRequest): Promise<Claim & { readonly rows?: readonly JournalRow[] }> {
  const { turn, step, lease, run } = request;
  return db.commit('quick', () => {
    const row = requireTurn(db, turn);
    const decision = decideClaim(claimFacts(db, row, step));
    if (decision.type !== 'granted' && decision.type !== 'exhausted') return decision;
    // Whoever held the journal before, and has not written how its request ended, is lost or will be refused.
    const lostAttempts = loseOpenAttempts(db, turn, step);
    if (decision.type === 'exhausted') return { ...decision, lostAttempts };
    const { attempt } = decision;
    const epoch = takeLease(db, turn, step, lease);
    bookAttempt(db, { turn, step, attempt }, epoch, lease);
    if (run !== undefined) db.run('UPDATE turns SET workflow_id = ?, run_id = ? WHERE id = ?', run.workflowId, run.runId, turn);
    const events = readEvents(db, turn);
    const begun = ResponseStream.replay(events).begin();
    const rows = begun.map(journalRowOf);
    if (rows.length > 0) begin(db, turn, epoch, rows);
    const readySinceMs = Date.now() - (row.readyAtMs ?? row.createdAtMs);
    return { type: 'granted', epoch, attempt, lostAttempts, turn: row, readySinceMs, events: [...events, ...begun], rows };
  });
}

/** The turn is in progress, and its viewers learn of it. */
export function begin(db: Database, turn: string, epoch: number, rows: readonly JournalRow[]): void {
  writeRows(db, turn, epoch, rows);
  db.run(`UPDATE turns SET status = 'in_progress' WHERE id = ?`, turn);
}

export async function fence(db: Database, turn: string): Promise<{ epoch: number; settled?: TurnStatus }> {
  return db.commit('quick', () => {
    const settled = settledStatusOf(requireTurn(db, turn));
    if (settled !== undefined) return { epoch: -1, settled };
    return { epoch: fenceLease(db, turn) };
  });
}

/** The end of an attempt that has not ended the turn; its lease ends with it. */
export async function releaseAttempt(db: Database, key: AttemptKey, epoch: number, end: AttemptEnd): Promise<void> {
  return db.commit('quick', () => {
    endAttempt(db, key, end);
    releaseLease(db, key.turn, epoch);
  });
}

export async function append(db: Database, { turn, epoch, rows, starts }: Append): Promise<boolean> {
  // The row that marks a start must survive even a loss of power: a started step is never asked again (T2).
  return db.commit(starts === undefined ? 'quick' : 'durable', () => {
    if (!writeRows(db, turn, epoch, rows)) return false;
    if (starts !== undefined) startAttempt(db, starts);
    return true;
  });
}

export async function seal(db: Database, seal: Seal): Promise<SealResult> {
  return db.commit('durable', (): SealResult => {
    const { turn, settled } = seal;
    if (!seal.winsOverCancel && isCancelRequested(db, turn)) return { type: 'cancel_requested' };
    if (!writeRows(db, turn, seal.epoch, seal.rows)) return { type: 'refused' };
    db.run('UPDATE journal_head SET sealed = 1, lease_until = NULL WHERE turn = ?', turn);
    // Cancelled while it waited: its input joins the transcript behind that of the turns before it (T1).
    recordThrough(db, turn);
    if (seal.isStored) insertItems(db, turn, seal.output);
    db.run(
      `UPDATE turns SET status = ?, settled_at = ?, error_code = ?, retry_at = ?, usage = ?, response = ? WHERE id = ?`,
      settled.status,
      Date.now(),
      settled.code,
      seal.retryAtMs ?? null,
      seal.usage === null ? null : JSON.stringify(seal.usage),
      JSON.stringify(seal.response),
      turn,
    );
    if (seal.attempt !== undefined) endAttempt(db, seal.attempt, seal.attempt.end);
    const lostAttempts = loseOpenAttempts(db, turn);
    const next = readyNext(db, turn);
    return { type: 'sealed', lostAttempts, ...(next === undefined ? {} : { next }) };
  });
}

function isCancelRequested(db: Database, turn: string): boolean {
  return db.one('SELECT 1 FROM turns WHERE id = ? AND cancel_requested_at IS NOT NULL', turn) !== undefined;
}

function readEvents(db: Database, turn: string): ResponseEvent[] {
  return readJournal(db, turn, -1, -1).map(({ data }) => JSON.parse(data) as ResponseEvent);
}

const rowsAfter = 'SELECT seq, type, data FROM journal WHERE turn = ? AND seq > ? ORDER BY seq LIMIT ?';

/** @param limit without one: -1 */
export function readJournal(db: Database, turn: string, after: number, limit: number): JournalRow[] {
  return db.all(rowsAfter, turn, after, limit).map(journalRow);
}

/** A piece of the journal, as large as the limits allow. */
export function readRows(db: Database, turn: string, after: number, limits: BatchLimits): JournalRow[] {
  const rows: JournalRow[] = [];
  let chars = 0;
  for (const each of db.each(rowsAfter, turn, after, limits.rows)) {
    const row = journalRow(each);
    rows.push(row);
    chars += row.data.length;
    if (chars >= limits.chars) break;
  }
  return rows;
}

export function readHead(db: Database, turn: string): JournalHead | undefined {
  const row = db.one('SELECT epoch, next_seq, sealed, lease_until FROM journal_head WHERE turn = ?', turn);
  if (row === undefined) return undefined;
  return {
    epoch: Number(row['epoch']),
    last: Number(row['next_seq']) - 1,
    isSealed: row['sealed'] === 1,
    isLeased: Number(row['lease_until'] ?? 0) > Date.now(),
  };
}

/** Moves the head on and writes the rows; false, and nothing written, when this epoch may not write (any more). */
export function writeRows(db: Database, turn: string, epoch: number, rows: readonly JournalRow[]): boolean {
  const first = rows[0]?.seq;
  const moved =
    first === undefined
      ? db.run('UPDATE journal_head SET epoch = epoch WHERE turn = ? AND epoch = ? AND sealed = 0', turn, epoch)
      : db.run(
          'UPDATE journal_head SET next_seq = ? WHERE turn = ? AND epoch = ? AND sealed = 0 AND next_seq = ?',
          first + rows.length,
          turn,
          epoch,
          first,
        );
  if (moved === 0) return false;
  for (const row of rows) {
    db.run('INSERT INTO journal (turn, seq, type, data) VALUES (?, ?, ?, ?)', turn, row.seq, row.type, row.data);
  }
  return true;
}
