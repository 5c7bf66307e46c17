/** The fenced journal of a turn: claim, append, seal, and the attempts that are booked along with it (T2, T6, T7). */
import type { AttemptEnd, AttemptKey, AttemptRow } from '../../domain/attempt.ts';
import { type ClaimFacts, decideClaim, settledStatusOf } from '../../domain/claim.ts';
import { type JournalRow, journalRowOf, type ResponseEvent } from '../../domain/response-event.ts';
import { ResponseStream } from '../../domain/response-stream.ts';
import type { Usage } from '../../domain/response.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { TurnStatus } from '../../domain/turn-state.ts';
import type { BatchLimits } from '../live/source.ts';
import type { Append, Claim, ClaimRequest, JournalHead, Lease, Seal, SealResult } from '../ports/journal.ts';
import type { Database, Row } from './database.ts';
import { journalRow, parsed } from './rows.ts';
import { leaseLeftMs, releaseLease, takeLease } from './leases.ts';
import { insertItems, readyNext, recordThrough } from './transcript.ts';
import { requireTurn } from './turns.ts';

export async function claim(db: Database, request: ClaimRequest): Promise<Claim & { readonly rows?: readonly JournalRow[] }> {
  const { turn, step, lease, run } = request;
  return db.commit('quick', () => {
    const row = requireTurn(db, turn);
    const decision = decideClaim(claimFacts(db, row, step));
    if (decision.type !== 'granted' && decision.type !== 'exhausted') return decision;
    // Whoever held the journal before, and did not say how its request ended, is lost or will be refused.
    const lostSql = `UPDATE attempts SET ended_at = ?, outcome = 'lost' WHERE turn = ? AND step = ? AND ended_at IS NULL`;
    const lostAttempts = db.run(lostSql, Date.now(), turn, step);
    if (decision.type === 'exhausted') return { ...decision, lostAttempts };
    const { attempt } = decision;
    const epoch = takeLease(db, turn, step, lease);
    bookAttempt(db, { turn, step, attempt }, epoch, lease);
    if (run !== undefined) db.run('UPDATE turns SET workflow_id = ?, run_id = ? WHERE id = ?', run.workflowId, run.runId, turn);
    const events = readEvents(db, turn);
    const rows = ResponseStream.replay(events).begin();
    if (rows.length > 0) begin(db, turn, epoch, rows.map(journalRowOf));
    const readySinceMs = Date.now() - (row.readyAtMs ?? row.createdAtMs);
    return { type: 'granted', epoch, attempt, lostAttempts, turn: row, readySinceMs, events: [...events, ...rows], rows: rows.map(journalRowOf) };
  });
}

/** The turn is in progress, and its viewers are told. */
export function begin(db: Database, turn: string, epoch: number, rows: readonly JournalRow[]): void {
  writeRows(db, turn, epoch, rows);
  db.run(`UPDATE turns SET status = 'in_progress' WHERE id = ?`, turn);
}

export function bookAttempt(db: Database, { turn, step, attempt }: AttemptKey, epoch: number, { holder }: Lease): void {
  db.run(
    'INSERT INTO attempts (turn, step, attempt, requested_at, epoch, holder) VALUES (?, ?, ?, ?, ?, ?)',
    turn,
    step,
    attempt,
    Date.now(),
    epoch,
    holder,
  );
}

function claimFacts(db: Database, turn: TurnRow, step: number): ClaimFacts {
  return {
    turn,
    get leaseLeftMs() {
      return leaseLeftMs(db, turn.id);
    },
    get hasStarted() {
      const sql = 'SELECT 1 FROM attempts WHERE turn = ? AND step = ? AND first_event_at IS NOT NULL LIMIT 1';
      return db.one(sql, turn.id, step) !== undefined;
    },
    get requestsMade() {
      return Number(db.one('SELECT count(*) AS made FROM attempts WHERE turn = ? AND step = ?', turn.id, step)?.['made']);
    },
    get waitLeftMs() {
      const sql = 'SELECT ended_at + wait_ms AS due_at FROM attempts WHERE turn = ? AND step = ? ORDER BY attempt DESC LIMIT 1';
      const dueAtMs = db.one(sql, turn.id, step)?.['due_at'];
      return dueAtMs == null ? 0 : Number(dueAtMs) - Date.now();
    },
  };
}

export async function fence(db: Database, turn: string): Promise<{ epoch: number; settled?: TurnStatus }> {
  return db.commit('quick', () => {
    const settled = settledStatusOf(requireTurn(db, turn));
    if (settled !== undefined) return { epoch: -1, settled };
    const row = db.one('UPDATE journal_head SET epoch = epoch + 1, lease_until = NULL WHERE turn = ? RETURNING epoch', turn);
    return { epoch: Number(row?.['epoch']) };
  });
}

export async function endAttempt(db: Database, key: AttemptKey, epoch: number, end: AttemptEnd): Promise<void> {
  return db.commit('quick', () => {
    closeAttempt(db, key, end);
    releaseLease(db, key.turn, epoch);
  });
}

function closeAttempt(db: Database, { turn, step, attempt }: AttemptKey, end: AttemptEnd): void {
  db.run(
    `UPDATE attempts SET ended_at = ?, outcome = ?, code = ?, detail = ?, message = ?, wait_ms = ?, usage = ?
     WHERE turn = ? AND step = ? AND attempt = ? AND ended_at IS NULL`,
    end.endedAtMs,
    end.outcome,
    end.code ?? null,
    end.detail ?? null,
    end.message ?? null,
    end.waitMs ?? null,
    end.usage === undefined ? null : JSON.stringify(end.usage),
    turn,
    step,
    attempt,
  );
}

export function readAttempts(db: Database, turn: string): AttemptRow[] {
  return db.all('SELECT * FROM attempts WHERE turn = ? ORDER BY step, attempt', turn).map(
    (row) =>
      ({
        turn,
        step: row['step'],
        attempt: row['attempt'],
        requestedAtMs: row['requested_at'],
        ...present('firstEventAtMs', row['first_event_at']),
        ...present('endedAtMs', row['ended_at']),
        ...present('outcome', row['outcome']),
        ...present('code', row['code']),
        ...present('detail', row['detail']),
        ...present('message', row['message']),
        ...present('waitMs', row['wait_ms']),
        ...present('providerRequestId', row['provider_request_id']),
        ...(row['usage'] === null ? {} : { usage: parsed<Usage>(row['usage']) }),
      }) as AttemptRow,
  );
}

export async function append(db: Database, { turn, epoch, rows, starts }: Append): Promise<boolean> {
  // The row that marks a start must survive even a loss of power: a started step is never asked again (T2).
  return db.commit(starts === undefined ? 'quick' : 'durable', () => {
    if (!writeRows(db, turn, epoch, rows)) return false;
    if (starts !== undefined) {
      db.run(
        'UPDATE attempts SET first_event_at = ?, provider_request_id = ? WHERE turn = ? AND step = ? AND attempt = ?',
        Date.now(),
        starts.providerRequestId ?? null,
        turn,
        starts.step,
        starts.attempt,
      );
    }
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
    if (seal.attempt !== undefined) closeAttempt(db, seal.attempt, seal.attempt.end);
    const lostSql = `UPDATE attempts SET ended_at = ?, outcome = 'lost' WHERE turn = ? AND ended_at IS NULL`;
    const lostAttempts = db.run(lostSql, Date.now(), turn);
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
  return { epoch: Number(row['epoch']), last: Number(row['next_seq']) - 1, isSealed: row['sealed'] === 1, isLeased: Number(row['lease_until'] ?? 0) > Date.now() };
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

function present(key: string, value: Row[string] | undefined): Record<string, unknown> {
  return value === null || value === undefined ? {} : { [key]: value };
}
