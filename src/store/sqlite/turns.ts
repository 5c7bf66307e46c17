/** Turns: looked up, listed, marked as they come along, and asked to be cancelled. */
import type { ResponseObject } from '../../domain/response/response.ts';
import { isVisible, type TurnRow } from '../../domain/turn/turn.ts';
import type { CancelRequest, ChildTurn, DispatchedRun, TurnCounts, UnattendedQuery, UnattendedTurn } from '../ports/turns.ts';
import type { Database, Row } from './database.ts';
import { awaitFirstClaim, oldestRenewalAtMs } from './leases.ts';
import { Pace } from '../pace.ts';
import { parsed, text, textOrNull, turnOf } from './rows.ts';

/** A whole row, for `turnOf`. */
export const turnRows = 'SELECT turns.*, settings FROM turns LEFT JOIN turn_content USING (ordinal)';

/** Of a tenant. SQLite, which keeps no statistics, takes the index for no better than others. */
export const unsettledTurns = 'turns INDEXED BY turns_unsettled WHERE settled_at IS NULL AND tenant = ?';

export function readTurn(db: Database, id: string): TurnRow | undefined {
  const row = db.one(`${turnRows} WHERE id = ?`, id);
  return row === undefined ? undefined : turnOf(row);
}

export function requireTurn(db: Database, id: string): TurnRow {
  const turn = readTurn(db, id);
  if (turn === undefined) throw new Error(`no turn ${id}`);
  return turn;
}

/** As its owner may see it. */
export function findTurn(db: Database, tenant: string, publicId: string): TurnRow | undefined {
  const turn = readByPublicId(db, tenant, publicId);
  return turn !== undefined && isVisible(turn) ? turn : undefined;
}

/** Also what its owner may not see any more: the id is taken. */
export function readByPublicId(db: Database, tenant: string, publicId: string): TurnRow | undefined {
  const row = rowByPublicId(db, turnRows, tenant, publicId);
  return row === undefined ? undefined : turnOf(row);
}

/** @param select from `turns` */
export function rowByPublicId(db: Database, select: string, tenant: string, publicId: string): Row | undefined {
  return (
    db.one(`${select} WHERE id = ? AND tenant = ? AND public_id IS NULL`, publicId, tenant) ??
    db.one(`${select} WHERE tenant = ? AND public_id = ?`, tenant, publicId)
  );
}

/** A look at an index for each. */
export async function findModels(db: Database, tenant: string, publicIds: Iterable<string>): Promise<Map<string, string>> {
  const models = new Map<string, string>();
  const pace = new Pace();
  for (const id of publicIds) {
    await pace.yieldIfFull();
    pace.add(0);
    const model = textOrNull(rowByPublicId(db, 'SELECT model FROM turns', tenant, id)?.['model']);
    if (model !== null) models.set(id, model);
  }
  return models;
}

/** In the last row of the journal; where that is dropped, beside the turn. */
export function readResponse(db: Database, id: string): ResponseObject | undefined {
  const kept = db.one('SELECT response FROM turns JOIN turn_content USING (ordinal) WHERE id = ? AND erased_by IS NULL', id);
  if (kept === undefined) return undefined;
  const response = textOrNull(kept['response']);
  if (response !== null) return parsed<ResponseObject>(response);
  const sql = 'SELECT data FROM journal_head JOIN journal USING (turn) WHERE turn = ? AND sealed = 1 AND seq = next_seq - 1';
  const last = db.one(sql, id);
  return last === undefined ? undefined : parsed<{ readonly response: ResponseObject }>(last['data']).response;
}

export function listUnsettledOf(db: Database, tenant: string, session: string): string[] {
  return db.all(`SELECT id FROM ${unsettledTurns} AND session = ? ORDER BY ordinal`, tenant, session).map(idOf);
}

/** Has it its end, or is it gone? */
export function isOver(db: Database, id: string): boolean {
  return db.one('SELECT settled_at FROM turns WHERE id = ?', id)?.['settled_at'] !== null;
}

const children = 'turns INDEXED BY turns_by_parent WHERE parent = ?';

export function readChildren(db: Database, turn: string): ChildTurn[] {
  const rows = db.all(`SELECT id, public_id, parent_call FROM ${children} ORDER BY parent_call`, turn);
  return rows.map((row) => ({ number: Number(row['parent_call']), publicId: text(row['public_id'] ?? row['id']) }));
}

/** Nobody waits for what they say any more. @returns those that have no end yet */
export function cancelChildren(db: Database, turn: string, atMs: number): string[] {
  const running = db.all(`SELECT id FROM ${children} AND settled_at IS NULL`, turn).map(idOf);
  for (const id of running) db.run('UPDATE turns SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE id = ?', atMs, id);
  return running;
}

export function listUndispatched(db: Database, { readyForMs, limit }: { readyForMs: number; limit: number }): string[] {
  const sql = `SELECT id FROM turns INDEXED BY turns_undispatched
    WHERE dispatched = 0 AND ready_at IS NOT NULL AND settled_at IS NULL AND ready_at <= ? ORDER BY ready_at LIMIT ?`;
  return db.all(sql, Date.now() - readyForMs, limit).map(idOf);
}

export function listUnattended(db: Database, { readyForMs, afterOrdinal, limit }: UnattendedQuery): UnattendedTurn[] {
  const sql = `SELECT ordinal, id, ready_at, workflow_id, owner_run FROM turns INDEXED BY turns_dispatched JOIN journal_head ON journal_head.turn = turns.id
    WHERE settled_at IS NULL AND dispatched = 1 AND ready_at <= ? AND lease_until IS NULL AND ordinal > ? ORDER BY ordinal LIMIT ?`;
  const rows = db.all(sql, Date.now() - readyForMs, afterOrdinal, limit);
  return rows.map((row) => {
    const firstRunId = textOrNull(row['owner_run']);
    const owner = firstRunId === null ? {} : { owner: { workflowId: text(row['workflow_id']), firstRunId } };
    return { ordinal: Number(row['ordinal']), turn: idOf(row), readyAtMs: Number(row['ready_at']), ...owner };
  });
}

export async function markDispatched(db: Database, runs: readonly DispatchedRun[]): Promise<void> {
  return db.commit('quick', () => {
    for (const { turn, runId } of runs) {
      db.run('UPDATE turns SET dispatched = 1, run_id = ? WHERE id = ?', runId, turn);
      awaitFirstClaim(db, turn);
    }
  });
}

export async function requestCancel(db: Database, tenant: string, publicId: string, atMs: number): Promise<CancelRequest> {
  return db.commit('quick', (): CancelRequest => {
    const turn = findTurn(db, tenant, publicId);
    if (turn === undefined) {
      // It may be on its way: the turn is then cancelled as it comes.
      db.run(
        'INSERT INTO early_cancels (tenant, id, at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at',
        tenant,
        publicId,
        atMs,
      );
      return { type: 'unknown' };
    }
    if (turn.settledAtMs !== null) return { type: 'settled', turn };
    db.run('UPDATE turns SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE id = ?', atMs, turn.id);
    return { type: 'accepted', turn };
  });
}

export function listStuckCancels(db: Database, { acceptedForMs, limit }: { acceptedForMs: number; limit: number }): string[] {
  const sql = `SELECT id FROM turns INDEXED BY turns_to_cancel WHERE settled_at IS NULL AND cancel_requested_at < ? LIMIT ?`;
  return db.all(sql, Date.now() - acceptedForMs, limit).map(idOf);
}

export function counts(db: Database): TurnCounts {
  const rows = db.all(
    `SELECT status = 'in_progress' AS claimed, count(*) AS turns, min(ready_at) AS ready FROM turns INDEXED BY turns_unsettled
     WHERE settled_at IS NULL GROUP BY claimed`,
  );
  const of = (claimed: number): number => Number(rows.find((row) => row['claimed'] === claimed)?.['turns'] ?? 0);
  const readyAt = rows.find((row) => row['claimed'] === 0)?.['ready'];
  return {
    running: of(1),
    waiting: of(0),
    oldestReadyAtMs: readyAt == null ? null : Number(readyAt),
    oldestRenewalAtMs: oldestRenewalAtMs(db),
  };
}

function idOf(row: Row): string {
  return text(row['id']);
}
