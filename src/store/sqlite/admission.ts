/** Takes a turn in: what `decideAdmission` asks of the database, and what it has written. */
import { type AdmissionFacts, decideAdmission, type UnsettledTurn } from '../../domain/admission.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { InsertTurn, NewTurn } from '../ports/turns.ts';
import type { Database, Row } from './database.ts';
import { text, turnOf } from './rows.ts';
import { readSession, touchSession } from './sessions.ts';
import { readTurn, requireTurn, unsettledTurns } from './turns.ts';

export function insertTurn(db: Database, turn: NewTurn): InsertTurn {
  return db.commit('durable', (): InsertTurn => {
    const admission = decideAdmission(turn, admissionFacts(db, turn));
    if (admission.type !== 'admitted') return admission;
    const { cancelRequestedAtMs, interrupts } = admission;
    if (cancelRequestedAtMs !== null) db.run('DELETE FROM early_cancels WHERE tenant = ? AND id = ?', turn.tenant, turn.id);
    writeTurn(db, turn, cancelRequestedAtMs);
    if (turn.session !== null) useSession(db, turn, turn.session);
    if (interrupts !== undefined) db.run('UPDATE turns SET cancel_requested_at = ? WHERE id = ?', turn.createdAtMs, interrupts);
    const row = requireTurn(db, turn.id);
    return { type: 'inserted', turn: row, ...(interrupts === undefined ? {} : { interrupted: interrupts }) };
  });
}

/** Each is asked of the database when it is looked at: most turns need a few. */
function admissionFacts(db: Database, { id, tenant, session, idempotencyKey, bodyHash, joins }: NewTurn): AdmissionFacts {
  return {
    get same() {
      return readTurn(db, id) ?? (idempotencyKey === null ? undefined : findByKey(db, tenant, idempotencyKey));
    },
    get twin() {
      const sql = `SELECT * FROM turns WHERE tenant = ? AND body_hash = ? AND session IS ? AND erased_at IS NULL
         AND (settled_at IS NULL OR (settled_at > ? AND acknowledged = 0)) ORDER BY ordinal DESC LIMIT 1`;
      return joins && turnOrNone(db.one(sql, tenant, bodyHash, session, joins.settledAfterMs));
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

function writeTurn(db: Database, turn: NewTurn, cancelRequestedAtMs: number | null): void {
  db.run(
    `INSERT INTO turns (id, tenant, session, previous, replaces, status, settings, input, idempotency_key, body_hash,
       created_at, stored, cancel_requested_at)
     VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?)`,
    turn.id,
    turn.tenant,
    turn.session,
    turn.previous,
    turn.replaces ?? null,
    JSON.stringify(turn.settings),
    JSON.stringify(turn.input),
    turn.idempotencyKey,
    turn.bodyHash,
    turn.createdAtMs,
    turn.settings.store ? 1 : 0,
    cancelRequestedAtMs,
  );
  db.run('INSERT INTO journal_head (turn, epoch, next_seq, sealed) VALUES (?, 0, ?, 0)', turn.id, turn.events.length);
  for (const row of turn.events) {
    db.run('INSERT INTO journal (turn, seq, type, data) VALUES (?, ?, ?, ?)', turn.id, row.seq, row.type, row.data);
  }
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
