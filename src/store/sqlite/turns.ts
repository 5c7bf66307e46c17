/** Turns, sessions and their items: a tree of turns, a session being a named pointer to a leaf. */
import type { Settled } from '../../domain/agent-turn.ts';
import { isFailureCode } from '../../domain/failure.ts';
import type { TranscriptTurn } from '../../domain/prompt.ts';
import type { Item } from '../../domain/item.ts';
import { isSettled, type ResponseStatus } from '../../domain/response.ts';
import type { ItemPage, NewSession, NewTurn, SessionRow, TurnRow, TwinQuery } from '../store.ts';
import type { Database, Row } from './database.ts';

export function createSession(db: Database, session: NewSession): SessionRow {
  db.commit('durable', () => {
    db.run(
      'INSERT INTO sessions (id, tenant, metadata, created_at) VALUES (?, ?, ?, ?)',
      session.id,
      session.tenant,
      JSON.stringify(session.metadata),
      session.createdAtMs,
    );
  });
  return { ...session, leaf: null };
}

export function readSession(db: Database, tenant: string, id: string): SessionRow | undefined {
  const row = db.one('SELECT * FROM sessions WHERE id = ? AND tenant = ?', id, tenant);
  if (row === undefined) return undefined;
  return {
    id,
    tenant,
    leaf: textOrNull(row['leaf']),
    metadata: parsed(row['metadata']),
    createdAtMs: Number(row['created_at']),
  };
}

export function insertTurn(db: Database, turn: NewTurn): { turn: TurnRow; isNew: boolean } {
  return db.commit('durable', () => {
    const twin =
      db.one('SELECT * FROM turns WHERE id = ?', turn.id) ??
      (turn.idempotencyKey === null
        ? undefined
        : db.one('SELECT * FROM turns WHERE tenant = ? AND idempotency_key = ?', turn.tenant, turn.idempotencyKey));
    if (twin !== undefined) return { turn: turnOf(twin), isNew: false };
    db.run(
      `INSERT INTO turns (id, tenant, session, previous, status, settings, input, idempotency_key, body_hash, created_at)
       VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?)`,
      turn.id,
      turn.tenant,
      turn.session,
      turn.previous,
      JSON.stringify(turn.settings),
      JSON.stringify(turn.input),
      turn.idempotencyKey,
      turn.bodyHash,
      turn.createdAtMs,
    );
    db.run('INSERT INTO journal_head (turn, epoch, next_seq, sealed) VALUES (?, 0, ?, 0)', turn.id, turn.events.length);
    for (const row of turn.events) {
      db.run('INSERT INTO journal (turn, seq, type, data) VALUES (?, ?, ?, ?)', turn.id, row.seq, row.type, row.data);
    }
    return { turn: mustRead(db, turn.id), isNew: true };
  });
}

export function readTurn(db: Database, id: string): TurnRow | undefined {
  const row = db.one('SELECT * FROM turns WHERE id = ?', id);
  return row === undefined ? undefined : turnOf(row);
}

export function findTwin(db: Database, twin: TwinQuery): TurnRow | undefined {
  const row = db.one(
    `SELECT * FROM turns WHERE tenant = ? AND body_hash = ? AND session IS ? AND (settled_at IS NULL OR (settled_at > ? AND delivered = 0))
     ORDER BY ordinal DESC LIMIT 1`,
    twin.tenant,
    twin.bodyHash,
    twin.session,
    twin.settledAfterMs,
  );
  return row === undefined ? undefined : turnOf(row);
}

export function listUnsettled(db: Database, query: { createdBeforeMs: number; onlyUnsubmitted: boolean; limit: number }): TurnRow[] {
  return db
    .all(
      `SELECT * FROM turns WHERE (settled_at IS NULL OR recorded = 0) AND created_at < ? ${query.onlyUnsubmitted ? 'AND submitted = 0' : ''}
       ORDER BY ordinal LIMIT ?`,
      query.createdBeforeMs,
      query.limit,
    )
    .map(turnOf);
}

/** T1: the input joins the transcript once; the session's pointer moves in the same commit. */
export function recordInput(db: Database, id: string): TurnRow {
  return db.commit('durable', () => {
    const turn = mustRead(db, id);
    if (turn.isRecorded) return turn;
    turn.input.forEach((item, position) => {
      db.run('INSERT INTO items (turn, position, id, item) VALUES (?, ?, ?, ?)', id, position, item.id, JSON.stringify(item));
    });
    if (turn.session !== null) {
      db.run('UPDATE turns SET previous = (SELECT leaf FROM sessions WHERE id = ?) WHERE id = ?', turn.session, id);
      db.run('UPDATE sessions SET leaf = ? WHERE id = ?', id, turn.session);
    }
    db.run('UPDATE turns SET recorded = 1 WHERE id = ?', id);
    return mustRead(db, id);
  });
}

/** The chain of turns that ends in one, numbered from it (0) to the oldest. */
const chain = `WITH RECURSIVE chain (id, depth) AS (
  SELECT ?, 0
  UNION ALL SELECT turns.previous, depth + 1 FROM chain JOIN turns ON turns.id = chain.id WHERE turns.previous IS NOT NULL
)`;

export function readTranscript(db: Database, id: string): TranscriptTurn[] {
  const turns = new Map<string, { status: ResponseStatus; errorCode: string | null; items: Item[] }>();
  const rows = db.all(
    `${chain} SELECT chain.id AS turn, status, error_code, item FROM chain JOIN turns ON turns.id = chain.id
     LEFT JOIN items ON items.turn = chain.id WHERE depth > 0 ORDER BY depth DESC, position`,
    id,
  );
  for (const row of rows) {
    const key = text(row['turn']);
    const turn = turns.get(key) ?? { status: row['status'] as ResponseStatus, errorCode: textOrNull(row['error_code']), items: [] };
    if (row['item'] !== null) turn.items.push(parsed(row['item']));
    turns.set(key, turn);
  }
  return [...turns.values()];
}

export function readSessionItems(db: Database, session: SessionRow, { limit, order, after }: ItemPage): Item[] {
  if (session.leaf === null) return [];
  // Oldest first means deepest first; `rank` numbers the items that way.
  const sql = `${chain}, ranked AS (
      SELECT items.id AS id, item, row_number() OVER (ORDER BY depth DESC, position) AS rank
      FROM chain JOIN items ON items.turn = chain.id
    )
    SELECT item FROM ranked
    WHERE ? IS NULL OR rank ${order === 'asc' ? '>' : '<'} (SELECT rank FROM ranked WHERE id = ?)
    ORDER BY rank ${order === 'asc' ? 'ASC' : 'DESC'} LIMIT ?`;
  return db.all(sql, session.leaf, after ?? null, after ?? null, limit).map((row) => parsed<Item>(row['item']));
}

export function hasSessionItem(db: Database, session: SessionRow, item: string): boolean {
  if (session.leaf === null) return false;
  return (
    db.one(`${chain} SELECT 1 FROM chain JOIN items ON items.turn = chain.id WHERE items.id = ? LIMIT 1`, session.leaf, item) !== undefined
  );
}

export function settledOf(turn: TurnRow): Settled {
  if (!isSettled(turn.status)) throw new Error(`turn ${turn.id} is not settled`);
  return { status: turn.status, code: turn.errorCode };
}

function mustRead(db: Database, id: string): TurnRow {
  const turn = readTurn(db, id);
  if (turn === undefined) throw new Error(`no turn ${id}`);
  return turn;
}

function turnOf(row: Row): TurnRow {
  const errorCode = row['error_code'];
  return {
    id: text(row['id']),
    tenant: text(row['tenant']),
    session: textOrNull(row['session']),
    previous: textOrNull(row['previous']),
    status: row['status'] as ResponseStatus,
    settings: parsed(row['settings']),
    input: parsed(row['input']),
    bodyHash: text(row['body_hash']),
    createdAtMs: Number(row['created_at']),
    isSubmitted: row['submitted'] === 1,
    isRecorded: row['recorded'] === 1,
    cancelRequestedAtMs: numberOrNull(row['cancel_requested_at']),
    settledAtMs: numberOrNull(row['settled_at']),
    errorCode: isFailureCode(errorCode) ? errorCode : null,
    retryAtMs: numberOrNull(row['retry_at']),
    usage: row['usage'] === null ? null : parsed(row['usage']),
    response: row['response'] === null ? null : parsed(row['response']),
    workflowId: textOrNull(row['workflow_id']),
    runId: textOrNull(row['run_id']),
  };
}

/** The driver wrote it, so its shape is known. */
function parsed<T>(value: Row[string] | undefined): T {
  return JSON.parse(text(value)) as T;
}

function text(value: Row[string] | undefined): string {
  if (typeof value !== 'string') throw new TypeError('the database has no text where text belongs');
  return value;
}

function textOrNull(value: Row[string] | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function numberOrNull(value: Row[string] | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}
