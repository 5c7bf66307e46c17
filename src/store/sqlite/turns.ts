/** Turns: looked up, listed, marked as they come along, and asked to be cancelled. */
import { isVisible, type TurnRow } from '../../domain/turn.ts';
import type { CancelRequest, DispatchedRun, TurnCounts, UnattendedQuery } from '../ports/turns.ts';
import type { Database, Row } from './database.ts';
import { text, turnOf } from './rows.ts';

/** Of a tenant; the first condition is the one of the index, which a turn leaves once it is done with. */
export const unsettledTurns =
  'turns INDEXED BY turns_unfinished WHERE (settled_at IS NULL OR recorded = 0) AND settled_at IS NULL AND tenant = ?';

export function readTurn(db: Database, id: string): TurnRow | undefined {
  const row = db.one('SELECT * FROM turns WHERE id = ?', id);
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
  const row = rowByPublicId(db, '*', tenant, publicId);
  return row === undefined ? undefined : turnOf(row);
}

/** @param columns of a `SELECT` */
export function rowByPublicId(db: Database, columns: string, tenant: string, publicId: string): Row | undefined {
  return (
    db.one(`SELECT ${columns} FROM turns WHERE id = ? AND tenant = ? AND public_id IS NULL`, publicId, tenant) ??
    db.one(`SELECT ${columns} FROM turns WHERE tenant = ? AND public_id = ?`, tenant, publicId)
  );
}

export function listUnsettledOf(db: Database, tenant: string, session: string): TurnRow[] {
  return db.all(`SELECT * FROM ${unsettledTurns} AND session = ? ORDER BY ordinal`, tenant, session).map(turnOf);
}

export function listUndispatched(db: Database, { readyForMs, limit }: { readyForMs: number; limit: number }): string[] {
  const sql = `SELECT id FROM turns INDEXED BY turns_undispatched
    WHERE dispatched = 0 AND ready_at IS NOT NULL AND settled_at IS NULL AND ready_at <= ? ORDER BY ready_at LIMIT ?`;
  return db.all(sql, Date.now() - readyForMs, limit).map((row) => text(row['id']));
}

export function listUnattended(db: Database, { readyForMs, afterOrdinal, limit }: UnattendedQuery) {
  const sql = `SELECT ordinal, id FROM turns JOIN journal_head ON journal_head.turn = turns.id
    WHERE (settled_at IS NULL OR recorded = 0) AND settled_at IS NULL AND dispatched = 1 AND ready_at <= ? AND lease_until IS NULL
      AND ordinal > ? ORDER BY ordinal LIMIT ?`;
  const rows = db.all(sql, Date.now() - readyForMs, afterOrdinal, limit);
  return rows.map((row) => ({ ordinal: Number(row['ordinal']), turn: text(row['id']) }));
}

export async function markDispatched(db: Database, runs: readonly DispatchedRun[]): Promise<void> {
  return db.commit('quick', () => {
    for (const { turn, runId } of runs) db.run('UPDATE turns SET dispatched = 1, run_id = ? WHERE id = ?', runId, turn);
  });
}

export async function acknowledge(db: Database, id: string): Promise<void> {
  const isNews = 'id = ? AND settled_at IS NOT NULL AND acknowledged = 0';
  // A thousand viewers get the end at once; the first one's write is enough.
  if (db.one(`SELECT 1 FROM turns WHERE ${isNews}`, id) === undefined) return;
  await db.commit('quick', () => db.run(`UPDATE turns SET acknowledged = 1 WHERE ${isNews}`, id));
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
  const sql = `SELECT id FROM turns WHERE (settled_at IS NULL OR recorded = 0) AND settled_at IS NULL AND cancel_requested_at < ?
    ORDER BY ordinal LIMIT ?`;
  return db.all(sql, Date.now() - acceptedForMs, limit).map((row) => text(row['id']));
}

export function counts(db: Database): TurnCounts {
  // The first condition is the one of the index `turns_open`, which a settled turn leaves.
  const rows = db.all(
    `SELECT status = 'in_progress' AS claimed, count(*) AS turns FROM turns
     WHERE (settled_at IS NULL OR recorded = 0) AND settled_at IS NULL GROUP BY claimed`,
  );
  const of = (claimed: number): number => Number(rows.find((row) => row['claimed'] === claimed)?.['turns'] ?? 0);
  return { running: of(1), waiting: of(0) };
}
