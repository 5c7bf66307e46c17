/** Turns: looked up, listed, marked as they come along, and asked to be cancelled. */
import type { TurnRow } from '../../domain/turn.ts';
import type { CancelRequest, TurnCounts, UnfinishedQuery } from '../ports/turns.ts';
import type { Database } from './database.ts';
import { turnOf } from './rows.ts';

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

/** As its owner may see it: not what was deleted, nor what was not to be stored and has ended. */
export function findTurn(db: Database, tenant: string, id: string): TurnRow | undefined {
  const row = db.one(
    `SELECT * FROM turns WHERE id = ? AND tenant = ? AND kind = 'response' AND (stored = 1 OR settled_at IS NULL)
       AND erased_by IS NOT 'owner'`,
    id,
    tenant,
  );
  return row === undefined ? undefined : turnOf(row);
}

export function listUnsettledOf(db: Database, tenant: string, session: string): TurnRow[] {
  return db.all(`SELECT * FROM ${unsettledTurns} AND session = ? ORDER BY ordinal`, tenant, session).map(turnOf);
}

export function listUnfinished(db: Database, { createdBeforeMs, onlyUndispatched, afterOrdinal, limit }: UnfinishedQuery) {
  return db
    .all(
      `SELECT * FROM turns WHERE (settled_at IS NULL OR recorded = 0) AND created_at < ? AND ordinal > ?
         ${onlyUndispatched ? 'AND dispatched = 0' : ''} ORDER BY ordinal LIMIT ?`,
      createdBeforeMs,
      afterOrdinal,
      limit,
    )
    .map((row) => ({ ordinal: Number(row['ordinal']), turn: turnOf(row) }));
}

export function listUndispatchedBefore(db: Database, turn: string): TurnRow[] {
  return db
    .all(
      `SELECT earlier.* FROM turns AS later JOIN turns AS earlier INDEXED BY turns_unfinished
         ON earlier.session = later.session AND earlier.ordinal < later.ordinal AND earlier.tenant = later.tenant
       WHERE later.id = ? AND earlier.dispatched = 0 AND (earlier.settled_at IS NULL OR earlier.recorded = 0) ORDER BY earlier.ordinal`,
      turn,
    )
    .map(turnOf);
}

export function markDispatched(db: Database, id: string): void {
  db.commit('quick', () => db.run('UPDATE turns SET dispatched = 1 WHERE id = ?', id));
}

export function acknowledge(db: Database, id: string): void {
  const isNews = 'id = ? AND settled_at IS NOT NULL AND acknowledged = 0';
  // A thousand viewers get the end at once; the first one's write is enough.
  if (db.one(`SELECT 1 FROM turns WHERE ${isNews}`, id) === undefined) return;
  db.commit('quick', () => db.run(`UPDATE turns SET acknowledged = 1 WHERE ${isNews}`, id));
}

export function requestCancel(db: Database, tenant: string, id: string, atMs: number): CancelRequest {
  return db.commit('quick', (): CancelRequest => {
    const turn = findTurn(db, tenant, id);
    if (turn === undefined) {
      // It may be on its way: the turn is then cancelled as it comes.
      db.run('INSERT INTO early_cancels (tenant, id, at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at', tenant, id, atMs);
      return { type: 'unknown' };
    }
    if (turn.settledAtMs !== null) return { type: 'settled' };
    db.run('UPDATE turns SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE id = ?', atMs, id);
    return { type: 'accepted', turn };
  });
}

export function listStuckCancels(db: Database, acceptedBeforeMs: number, limit: number): TurnRow[] {
  const sql = 'SELECT * FROM turns WHERE settled_at IS NULL AND cancel_requested_at < ? ORDER BY ordinal LIMIT ?';
  return db.all(sql, acceptedBeforeMs, limit).map(turnOf);
}

export function counts(db: Database): TurnCounts {
  // The first condition is the one of the index `turns_open`, which a settled turn leaves.
  const rows = db.all(
    `SELECT run_id IS NOT NULL AS claimed, count(*) AS turns FROM turns
     WHERE (settled_at IS NULL OR recorded = 0) AND settled_at IS NULL GROUP BY claimed`,
  );
  const of = (claimed: number): number => Number(rows.find((row) => row['claimed'] === claimed)?.['turns'] ?? 0);
  return { running: of(1), waiting: of(0) };
}
