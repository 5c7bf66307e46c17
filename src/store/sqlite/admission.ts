/** Takes a turn in: what `decideAdmission` asks of the database, and what it has written. */
import { type AdmissionFacts, decideAdmission, resendWindowMs, type UnsettledTurn } from '../../domain/admission.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { InsertTurn, NewTurn } from '../ports/turns.ts';
import type { Database, Row } from './database.ts';
import { bookAttempt } from './attempts.ts';
import { begin, writeRows } from './journal.ts';
import { takeLease } from './leases.ts';
import { text, turnOf } from './rows.ts';
import { readSession, touchSession } from './sessions.ts';
import { makeReady } from './transcript.ts';
import { readTurn, unsettledTurns } from './turns.ts';

/** `rows`: what the commit has put into the journal of a turn that was inserted. */
export async function insertTurn(db: Database, turn: NewTurn): Promise<InsertTurn> {
  // Outside of the transaction: a long input must not hold the lock.
  const texts = { settings: JSON.stringify(turn.settings), input: JSON.stringify(turn.input) };
  return db.commit('durable', (): InsertTurn => {
    const admission = decideAdmission(turn, admissionFacts(db, turn));
    if (admission.type !== 'admitted') return admission;
    const { cancelRequestedAtMs, interrupts, isReady } = admission;
    if (cancelRequestedAtMs !== null) db.run('DELETE FROM early_cancels WHERE tenant = ? AND id = ?', turn.tenant, turn.id);
    writeTurn(db, turn, texts, cancelRequestedAtMs);
    if (turn.session !== null) useSession(db, turn, turn.session);
    if (interrupts !== undefined) db.run('UPDATE turns SET cancel_requested_at = ? WHERE id = ?', turn.createdAtMs, interrupts);
    const row = rowOf(turn, cancelRequestedAtMs);
    const readyRow = isReady ? makeReady(db, row) : row;
    const epoch = isReady && cancelRequestedAtMs === null ? startAhead(db, turn) : undefined;
    return {
      type: 'inserted',
      turn: epoch === undefined ? readyRow : { ...readyRow, status: 'in_progress' },
      ...(interrupts === undefined ? {} : { interrupted: interrupts }),
      ...(epoch === undefined ? {} : { epoch }),
    };
  });
}

/** Attempt 1 of step 1 is the caller's: what `claim` does, in the commit that takes the turn in. */
function startAhead(db: Database, { id, headStart }: NewTurn): number | undefined {
  if (headStart === undefined) return undefined;
  const epoch = takeLease(db, id, 1, headStart.lease);
  bookAttempt(db, { turn: id, step: 1, attempt: 1 }, epoch, headStart.lease);
  begin(db, id, epoch, [headStart.row]);
  return epoch;
}

/** Each is asked of the database when it is looked at: most turns need a few. */
function admissionFacts(db: Database, { id, tenant, session, previous, idempotencyKey, bodyHash, createdAtMs }: NewTurn): AdmissionFacts {
  return {
    get same() {
      return readTurn(db, id) ?? (idempotencyKey === null ? undefined : findByKey(db, tenant, idempotencyKey));
    },
    get twin() {
      const sql = `SELECT * FROM turns WHERE tenant = ? AND body_hash = ? AND session IS ? AND erased_at IS NULL
         AND (settled_at IS NULL OR (settled_at > ? AND acknowledged = 0)) ORDER BY ordinal DESC LIMIT 1`;
      const row = db.one(sql, tenant, bodyHash, session, createdAtMs - resendWindowMs);
      return row && { turn: turnOf(row), isResend: row['resend'] === 1 };
    },
    get previous() {
      return previous === null ? undefined : readTurn(db, previous);
    },
    get hasSession() {
      return session !== null && readSession(db, tenant, session) !== undefined;
    },
    get unsettledInSession() {
      const sql = `SELECT id, cancel_requested_at FROM ${unsettledTurns} AND session = ? ORDER BY ordinal`;
      return db.all(sql, tenant, session).map(unsettledTurnOf);
    },
    get unsettledOfTenant() {
      return Number(db.one(`SELECT count(*) AS n FROM ${unsettledTurns}`, tenant)?.['n']);
    },
    get earlyCancelAtMs() {
      const row = db.one('SELECT at FROM early_cancels WHERE tenant = ? AND id = ?', tenant, id);
      return row === undefined ? undefined : Number(row['at']);
    },
  };
}

function writeTurn(db: Database, turn: NewTurn, texts: { settings: string; input: string }, cancelRequestedAtMs: number | null): void {
  db.run(
    `INSERT INTO turns (id, tenant, session, previous, replaces, status, settings, input, idempotency_key, body_hash,
       created_at, stored, resend, cancel_requested_at, workflow_id)
     VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    turn.id,
    turn.tenant,
    turn.session,
    turn.previous,
    turn.replaces ?? null,
    texts.settings,
    texts.input,
    turn.idempotencyKey,
    turn.bodyHash,
    turn.createdAtMs,
    turn.settings.store ? 1 : 0,
    turn.isResend ? 1 : 0,
    cancelRequestedAtMs,
    turn.workflowId,
  );
  db.run('INSERT INTO journal_head (turn, epoch, next_seq, sealed) VALUES (?, 0, 0, 0)', turn.id);
  writeRows(db, turn.id, 0, turn.events);
}

/** The row as it is now in the database, without reading it back. */
function rowOf(turn: NewTurn, cancelRequestedAtMs: number | null): TurnRow {
  const { id, tenant, session, previous, replaces = null, settings, input, bodyHash, createdAtMs, workflowId } = turn;
  return {
    id,
    tenant,
    session,
    previous,
    replaces,
    settings,
    input,
    bodyHash,
    createdAtMs,
    workflowId,
    cancelRequestedAtMs,
    kind: 'response',
    status: 'queued',
    isStored: settings.store,
    readyAtMs: null,
    isDispatched: false,
    isRecorded: false,
    settledAtMs: null,
    erasedBy: null,
    errorCode: null,
    retryAtMs: null,
    usage: null,
    response: null,
    runId: null,
  };
}

function useSession(db: Database, { id, tenant, createdAtMs, wantsTitle }: NewTurn, session: string): void {
  touchSession(db, session, createdAtMs);
  if (wantsTitle !== true) return;
  db.run(
    `UPDATE sessions SET title_turn = ? WHERE id = ? AND title_turn IS NULL
       AND NOT EXISTS (SELECT 1 FROM turns WHERE tenant = ? AND session = sessions.id AND kind = 'response' AND stored = 1 AND id <> ?)`,
    id,
    session,
    tenant,
    id,
  );
}

function findByKey(db: Database, tenant: string, key: string): TurnRow | undefined {
  return turnOrNone(db.one('SELECT * FROM turns WHERE tenant = ? AND idempotency_key = ?', tenant, key));
}

function turnOrNone(row: Row | undefined): TurnRow | undefined {
  return row === undefined ? undefined : turnOf(row);
}

function unsettledTurnOf(row: Row): UnsettledTurn {
  return { id: text(row['id']), isCancelRequested: row['cancel_requested_at'] !== null };
}
