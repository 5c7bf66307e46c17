/** How a turn is taken in: what it joins, what it has to wait for, and what refuses it, in one commit. */
import type { TurnRow } from '../../domain/turn.ts';
import type { InsertTurn, NewTurn } from '../ports/store.ts';
import { place, placeOf } from './chain.ts';
import type { Database, Row } from './database.ts';
import { insertItems } from './items.ts';
import { text, turnOf } from './rows.ts';
import { readSession, touchSession } from './sessions.ts';
import { earlyCancelMs, readTurn, unsettledTurns } from './turns.ts';

interface OpenTurn {
  readonly id: string;
  /** Its cancel was accepted. */
  readonly isCancelled: boolean;
}

export function insertTurn(db: Database, turn: NewTurn): InsertTurn {
  return db.commit('durable', (): InsertTurn => {
    const same = sameTurn(db, turn);
    if (same !== undefined) {
      return same.tenant === turn.tenant && same.bodyHash === turn.bodyHash && same.erasedBy === null
        ? { type: 'joined', turn: same }
        : { type: 'conflict' };
    }
    const twin = turn.joins === undefined ? undefined : findTwin(db, turn, turn.joins.settledAfterMs);
    if (twin !== undefined) return { type: 'joined', turn: twin };
    // Deleted since somebody looked: nothing may run in it any more.
    if (turn.session !== null && readSession(db, turn.tenant, turn.session) === undefined) return { type: 'unknown_session' };
    const open = turn.session === null ? [] : openTurnsOf(db, turn.tenant, turn.session);
    const refusal = refusalOf(db, turn, open);
    if (refusal !== undefined) return refusal;
    const isCancelled =
      db.run('DELETE FROM early_cancels WHERE tenant = ? AND id = ? AND at > ?', turn.tenant, turn.id, turn.createdAtMs - earlyCancelMs) >
      0;
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
      isCancelled ? turn.createdAtMs : null,
    );
    db.run('INSERT INTO journal_head (turn, epoch, next_seq, sealed) VALUES (?, 0, ?, 0)', turn.id, turn.events.length);
    for (const row of turn.events) {
      db.run('INSERT INTO journal (turn, seq, type, data) VALUES (?, ?, ?, ?)', turn.id, row.seq, row.type, row.data);
    }
    if (turn.session !== null) {
      touchSession(db, turn.session, turn.createdAtMs);
      if (turn.wantsTitle === true) {
        db.run(
          `UPDATE sessions SET title_turn = ? WHERE id = ? AND title_turn IS NULL
             AND NOT EXISTS (SELECT 1 FROM turns WHERE tenant = ? AND session = sessions.id AND kind = 'response' AND stored = 1 AND id <> ?)`,
          turn.id,
          turn.session,
          turn.tenant,
          turn.id,
        );
      }
    }
    // What is being cancelled already runs no more: it is the one behind it that would run.
    const running = turn.whenBusy === 'interrupt' ? open.find(({ isCancelled: isEnding }) => !isEnding) : undefined;
    if (running === undefined) return { type: 'inserted', turn: mustRead(db, turn.id) };
    db.run('UPDATE turns SET cancel_requested_at = ? WHERE id = ?', turn.createdAtMs, running.id);
    return { type: 'inserted', turn: mustRead(db, turn.id), interrupted: running.id };
  });
}

/** A turn of this id or this idempotency key. */
function sameTurn(db: Database, { id, tenant, idempotencyKey }: NewTurn): TurnRow | undefined {
  return (
    readTurn(db, id) ??
    (idempotencyKey === null
      ? undefined
      : turnOrNone(db.one('SELECT * FROM turns WHERE tenant = ? AND idempotency_key = ?', tenant, idempotencyKey)))
  );
}

/** What a client's own retry joins: the latest turn of the session, or of the tenant, with this body. */
function findTwin(db: Database, { tenant, bodyHash, session }: NewTurn, settledAfterMs: number): TurnRow | undefined {
  return turnOrNone(
    db.one(
      `SELECT * FROM turns WHERE tenant = ? AND body_hash = ? AND session IS ? AND erased_at IS NULL
         AND (settled_at IS NULL OR (settled_at > ? AND acknowledged = 0))
       ORDER BY ordinal DESC LIMIT 1`,
      tenant,
      bodyHash,
      session,
      settledAfterMs,
    ),
  );
}

/** The unsettled turns of a session: the first runs, the others wait. */
function openTurnsOf(db: Database, tenant: string, session: string): OpenTurn[] {
  const sql = `SELECT id, cancel_requested_at FROM ${unsettledTurns} AND session = ? ORDER BY ordinal`;
  return db.all(sql, tenant, session).map((row) => ({ id: text(row['id']), isCancelled: row['cancel_requested_at'] !== null }));
}

function refusalOf(db: Database, { tenant, whenBusy, limits }: NewTurn, open: readonly OpenTurn[]): InsertTurn | undefined {
  const [running] = open;
  if (running !== undefined && whenBusy === 'reject') return { type: 'busy', running: running.id };
  if (open.length > limits.maxWaitingTurns) return { type: 'queue_full' };
  const unsettled = Number(db.one(`SELECT count(*) AS n FROM ${unsettledTurns}`, tenant)?.['n']);
  return unsettled >= limits.maxRunningTurns ? { type: 'too_many' } : undefined;
}

/** T1: the input joins the transcript once; the session's pointer moves in the same commit. */
export function recordInput(db: Database, id: string): TurnRow {
  return db.commit('durable', () => {
    record(db, mustRead(db, id));
    return mustRead(db, id);
  });
}

function record(db: Database, turn: TurnRow): void {
  if (turn.isRecorded) return;
  const previous = turn.session === null ? turn.previous : previousInSession(db, turn);
  // One that was cancelled before it ran is recorded late, but never after a turn that goes on from it.
  const before = previous === null ? undefined : readTurn(db, previous);
  if (before !== undefined) record(db, before);
  db.run('UPDATE turns SET recorded = 1, previous = ? WHERE id = ?', previous, turn.id);
  place(db, turn.id, previous === null ? undefined : placeOf(db, previous), !turn.isStored);
  // What is not to be stored reads the past and leaves nothing in it.
  if (!turn.isStored) return;
  insertItems(db, turn.id, turn.input);
  // Deleted before it ran: its words are the conversation's from now on, and no longer its own.
  if (turn.erasedBy !== null) db.run(`UPDATE turns SET input = '[]' WHERE id = ?`, turn.id);
  db.run('UPDATE sessions SET leaf = ? WHERE id = ?', turn.id, turn.session);
}

function previousInSession(db: Database, { session, replaces }: TurnRow): string | null {
  // Cancelled before it ran, it has no place yet, and what takes its place would have no past.
  const replaced = replaces === null ? undefined : readTurn(db, replaces);
  if (replaced !== undefined) record(db, replaced);
  const row =
    replaces === null
      ? db.one('SELECT leaf AS previous FROM sessions WHERE id = ?', session)
      : db.one('SELECT previous FROM turns WHERE id = ?', replaces);
  return typeof row?.['previous'] === 'string' ? row['previous'] : null;
}

function turnOrNone(row: Row | undefined): TurnRow | undefined {
  return row === undefined ? undefined : turnOf(row);
}

function mustRead(db: Database, id: string): TurnRow {
  const turn = readTurn(db, id);
  if (turn === undefined) throw new Error(`no turn ${id}`);
  return turn;
}
