/** The fenced journal of a turn: claim, fence, append, seal, read (T2, T6, T7). */
import { decideClaim, settledStatusOf } from '../../domain/claim.ts';
import type { JournalRow, ResponseEvent } from '../../domain/response-event.ts';
import type { TurnStatus } from '../../domain/turn-state.ts';
import type { BatchLimits } from '../live/source.ts';
import type { Append, Claim, ClaimRequest, JournalHead, Seal } from '../ports/journal.ts';
import { bookAttempt, claimFacts, endAttempt, loseOpenAttempts, startAttempt } from './attempts.ts';
import type { Database } from './database.ts';
import { journalRow } from './rows.ts';
import { insertItems } from './transcript.ts';
import { requireTurn } from './turns.ts';

export function claim(db: Database, request: ClaimRequest): Claim {
  const { turn, step, atMs } = request;
  return db.commit('quick', (): Claim => {
    const row = requireTurn(db, turn);
    const decision = decideClaim(claimFacts(db, row, step));
    if (decision.type !== 'granted' && decision.type !== 'exhausted') return decision;
    // Whoever held the journal before, and has not written how its request ended, is lost or will be refused.
    loseOpenAttempts(db, turn, atMs, step);
    if (decision.type === 'exhausted') return decision;
    const { attempt } = decision;
    bookAttempt(db, { turn, step, attempt }, atMs);
    db.run('UPDATE turns SET workflow_id = ?, run_id = ? WHERE id = ?', request.workflowId, request.runId, turn);
    return { type: 'granted', epoch: raiseEpoch(db, turn), attempt, turn: row, events: readEvents(db, turn) };
  });
}

export function fence(db: Database, turn: string): { epoch: number; settled?: TurnStatus } {
  return db.commit('quick', () => {
    const settled = settledStatusOf(requireTurn(db, turn));
    return settled === undefined ? { epoch: raiseEpoch(db, turn) } : { epoch: -1, settled };
  });
}

export function append(db: Database, { turn, epoch, rows, starts, status }: Append): boolean {
  // The row that marks a start must survive even a loss of power: a started step is never asked again.
  return db.commit(starts === undefined ? 'quick' : 'durable', () => {
    if (!writeRows(db, turn, epoch, rows)) return false;
    if (starts !== undefined) startAttempt(db, starts);
    if (status !== undefined) db.run('UPDATE turns SET status = ? WHERE id = ?', status, turn);
    return true;
  });
}

export function seal(db: Database, seal: Seal): boolean {
  const { turn, settled } = seal;
  return db.commit('durable', () => {
    if (!writeRows(db, turn, seal.epoch, seal.rows)) return false;
    db.run('UPDATE journal_head SET sealed = 1 WHERE turn = ?', turn);
    // The output stands behind the input, also when the input is recorded later (a turn cancelled while it waited has no output).
    if (seal.isStored) insertItems(db, turn, seal.output);
    db.run(
      `UPDATE turns SET status = ?, settled_at = ?, error_code = ?, retry_at = ?, usage = ?, response = ? WHERE id = ?`,
      settled.status,
      seal.atMs,
      settled.code,
      seal.retryAtMs ?? null,
      seal.usage === null ? null : JSON.stringify(seal.usage),
      JSON.stringify(seal.response),
      turn,
    );
    if (seal.attempt !== undefined) endAttempt(db, seal.attempt, seal.attempt.end);
    loseOpenAttempts(db, turn, seal.atMs);
    return true;
  });
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
  const row = db.one('SELECT epoch, next_seq, sealed FROM journal_head WHERE turn = ?', turn);
  if (row === undefined) return undefined;
  return { epoch: Number(row['epoch']), last: Number(row['next_seq']) - 1, isSealed: row['sealed'] === 1 };
}

/** Moves the head on and writes the rows; false, and nothing written, when this epoch may not write (any more). */
function writeRows(db: Database, turn: string, epoch: number, rows: readonly JournalRow[]): boolean {
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

function raiseEpoch(db: Database, turn: string): number {
  return Number(db.one('UPDATE journal_head SET epoch = epoch + 1 WHERE turn = ? RETURNING epoch', turn)?.['epoch']);
}
