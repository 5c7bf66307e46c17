/** Takes a turn in: what `decideAdmission` asks of the database, and what it has written. */
import { type AdmissionFacts, decideAdmission, resendWindowMs, type UnsettledTurn } from '../../domain/admission.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { InsertTurn, NewTurn } from '../ports/turns.ts';
import type { Database, Row } from './database.ts';
import { bookAttempt } from './attempts.ts';
import { begin, writeRows } from './journal.ts';
import { takeLease } from './leases.ts';
import { erasedByOf, numberOrNull, text, turnOf } from './rows.ts';
import { readSession, touchSession } from './sessions.ts';
import { makeReady } from './transcript.ts';
import { readByPublicId, rowByPublicId, unsettledTurns } from './turns.ts';

/** `rows`: what the commit has put into the journal of a turn that was inserted. */
export async function insertTurn(db: Database, turn: NewTurn): Promise<InsertTurn> {
  // Outside of the transaction: a long input must not hold the lock.
  const texts = { settings: JSON.stringify(turn.settings), input: JSON.stringify(turn.input) };
  return db.commit('durable', (): InsertTurn => {
    const admission = decideAdmission(turn, admissionFacts(db, turn));
    if (admission.type !== 'admitted') return admission;
    const { cancelRequestedAtMs, interrupts, isReady } = admission;
    if (cancelRequestedAtMs !== null) {
      db.run('DELETE FROM early_cancels WHERE tenant = ? AND id = ?', turn.tenant, turn.chosenId ?? turn.id);
    }
    const previous = previousOf(db, turn)?.id ?? null;
    writeTurn(db, turn, previous, texts, cancelRequestedAtMs);
    const givesTitle = turn.session !== null && useSession(db, turn, turn.session);
    if (interrupts !== undefined) db.run('UPDATE turns SET cancel_requested_at = ? WHERE id = ?', turn.createdAtMs, interrupts);
    const row = rowOf(turn, previous, cancelRequestedAtMs);
    const readyRow = isReady ? makeReady(db, row) : row;
    const epoch = isReady && cancelRequestedAtMs === null ? startAhead(db, turn) : undefined;
    return {
      type: 'inserted',
      turn: epoch === undefined ? readyRow : { ...readyRow, status: 'in_progress' },
      ...(interrupts === undefined ? {} : { interrupted: interrupts }),
      ...(epoch === undefined ? {} : { epoch }),
      ...(givesTitle ? { givesTitle } : {}),
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
function admissionFacts(db: Database, turn: NewTurn): AdmissionFacts {
  const { chosenId = '', tenant, session, idempotencyKey, bodyHash, createdAtMs } = turn;
  return {
    get ofId() {
      return readByPublicId(db, tenant, chosenId);
    },
    get ofKey() {
      const row = db.one('SELECT * FROM turns WHERE tenant = ? AND idempotency_key = ?', tenant, idempotencyKey);
      return row && turnOf(row);
    },
    get twin() {
      const sql = `SELECT * FROM turns WHERE tenant = ? AND body_hash = ? AND session IS ? AND erased_at IS NULL
         AND (settled_at IS NULL OR (settled_at > ? AND acknowledged = 0)) ORDER BY ordinal DESC LIMIT 1`;
      const row = db.one(sql, tenant, bodyHash, session, createdAtMs - resendWindowMs);
      return row && { turn: turnOf(row), isResend: row['resend'] === 1 };
    },
    get previous() {
      return previousOf(db, turn);
    },
    get hasSession() {
      return session !== null && readSession(db, tenant, session) !== undefined;
    },
    get unsettledInSession() {
      const sql = `SELECT id, public_id, cancel_requested_at FROM ${unsettledTurns} AND session = ? ORDER BY ordinal`;
      return db.all(sql, tenant, session).map(unsettledTurnOf);
    },
    get unsettledOfTenant() {
      return Number(db.one(`SELECT count(*) AS n FROM ${unsettledTurns}`, tenant)?.['n']);
    },
    get earlyCancelAtMs() {
      const row = db.one('SELECT at FROM early_cancels WHERE tenant = ? AND id = ?', tenant, chosenId);
      return row === undefined ? undefined : Number(row['at']);
    },
  };
}

function previousOf(db: Database, { tenant, previous }: NewTurn): ({ readonly id: string } & AdmissionFacts['previous']) | undefined {
  const row = previous === null ? undefined : rowByPublicId(db, 'id, settled_at, erased_by', tenant, previous);
  return row && { id: text(row['id']), settledAtMs: numberOrNull(row['settled_at']), erasedBy: erasedByOf(row['erased_by']) };
}

function writeTurn(
  db: Database,
  turn: NewTurn,
  previous: string | null,
  texts: { settings: string; input: string },
  cancelRequestedAtMs: number | null,
): void {
  db.run(
    `INSERT INTO turns (id, public_id, tenant, session, previous, replaces, status, settings, input, idempotency_key, body_hash,
       created_at, stored, resend, cancel_requested_at, workflow_id)
     VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    turn.id,
    turn.chosenId ?? null,
    turn.tenant,
    turn.session,
    previous,
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
function rowOf(turn: NewTurn, previous: string | null, cancelRequestedAtMs: number | null): TurnRow {
  const { id, chosenId: publicId = id, tenant, session, replaces = null, settings, input, bodyHash, createdAtMs, workflowId } = turn;
  return {
    id,
    publicId,
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

/** True: the turn is the first of the session, and is to give it a title. */
function useSession(db: Database, { id, tenant, createdAtMs, wantsTitle }: NewTurn, session: string): boolean {
  touchSession(db, session, createdAtMs);
  if (wantsTitle !== true) return false;
  const changed = db.run(
    `UPDATE sessions SET title_turn = ? WHERE id = ? AND title_turn IS NULL
       AND NOT EXISTS (SELECT 1 FROM turns WHERE tenant = ? AND session = sessions.id AND kind = 'response' AND stored = 1 AND id <> ?)`,
    id,
    session,
    tenant,
    id,
  );
  return changed > 0;
}

function unsettledTurnOf(row: Row): UnsettledTurn {
  return { id: text(row['id']), publicId: text(row['public_id'] ?? row['id']), isCancelRequested: row['cancel_requested_at'] !== null };
}
