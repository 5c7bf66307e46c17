/** Turns: looked up, listed, marked as they come along, and asked to be cancelled. */
import { mostEnded } from '../../domain/turn/admission.ts';
import type { ResponseObject } from '../../domain/response/response.ts';
import { isVisible, type TurnRow } from '../../domain/turn/turn.ts';
import type { CancelRequest, ChildTurn, DispatchedRun, TurnCounts, UnattendedQuery, UnattendedTurn } from '../ports/turns.ts';
import { all, lockTenant, lockTurn, now, one, run, type Row, type SqlDatabase, type Work } from './work.ts';
import { awaitFirstClaim, oldestRenewalAtMs } from './leases.ts';
import { Pace } from '../pace.ts';
import { parsed, text, textOrNull, turnOf } from './rows.ts';

/** A whole row, for `turnOf`. */
export const turnRows = 'SELECT turns.*, settings FROM turns LEFT JOIN turn_content USING (ordinal)';

/** Of a tenant. SQLite, which keeps no statistics, takes the index for no better than others. */
export const unsettledTurns = 'turns INDEXED BY turns_unsettled WHERE settled_at IS NULL AND tenant = ?';

export function* readTurn(id: string): Work<TurnRow | undefined> {
  const row = yield* one(`${turnRows} WHERE id = ?`, id);
  return row === undefined ? undefined : turnOf(row);
}

export function* requireTurn(id: string): Work<TurnRow> {
  const turn = yield* readTurn(id);
  if (turn === undefined) throw new Error(`no turn ${id}`);
  return turn;
}

/** As its owner may see it. */
export function* findTurn(tenant: string, publicId: string): Work<TurnRow | undefined> {
  const turn = yield* readByPublicId(tenant, publicId);
  return turn !== undefined && isVisible(turn) ? turn : undefined;
}

/** Also what its owner may not see any more: the id is taken. */
export function* readByPublicId(tenant: string, publicId: string): Work<TurnRow | undefined> {
  const row = yield* rowByPublicId(turnRows, tenant, publicId);
  return row === undefined ? undefined : turnOf(row);
}

/** @param select from `turns` */
export function* rowByPublicId(select: string, tenant: string, publicId: string): Work<Row | undefined> {
  return (
    (yield* one(`${select} WHERE id = ? AND tenant = ? AND public_id IS NULL`, publicId, tenant)) ??
    (yield* one(`${select} WHERE tenant = ? AND public_id = ?`, tenant, publicId))
  );
}

/** A look at an index for each. */
export async function findModels(db: SqlDatabase, tenant: string, publicIds: Iterable<string>): Promise<Map<string, string>> {
  const models = new Map<string, string>();
  const pace = new Pace();
  for (const id of publicIds) {
    await pace.yieldIfFull();
    pace.add(0);
    const model = textOrNull((await db.read(() => rowByPublicId('SELECT model FROM turns', tenant, id)))?.['model']);
    if (model !== null) models.set(id, model);
  }
  return models;
}

/** In the last row of the journal; where that is dropped, beside the turn. */
export function* readResponse(id: string): Work<ResponseObject | undefined> {
  const kept = yield* one('SELECT response FROM turns JOIN turn_content USING (ordinal) WHERE id = ? AND erased_by IS NULL', id);
  if (kept === undefined) return undefined;
  const response = textOrNull(kept['response']);
  if (response !== null) return parsed<ResponseObject>(response);
  const sql = 'SELECT data FROM journal_head JOIN journal USING (turn) WHERE turn = ? AND sealed = 1 AND seq = next_seq - 1';
  const last = yield* one(sql, id);
  return last === undefined ? undefined : parsed<{ readonly response: ResponseObject }>(last['data']).response;
}

export function* listUnsettledOf(tenant: string, session: string): Work<string[]> {
  return (yield* all(`SELECT id FROM ${unsettledTurns} AND session = ? ORDER BY ordinal`, tenant, session)).map(idOf);
}

/** Has it its end, or is it gone? */
export function* isOver(id: string): Work<boolean> {
  return (yield* one('SELECT settled_at FROM turns WHERE id = ?', id))?.['settled_at'] !== null;
}

const children = 'turns INDEXED BY turns_by_parent WHERE parent = ?';

export function* readChildren(turn: string): Work<ChildTurn[]> {
  const rows = yield* all(`SELECT id, public_id, parent_call FROM ${children} ORDER BY parent_call`, turn);
  return rows.map((row) => ({ number: Number(row['parent_call']), publicId: text(row['public_id'] ?? row['id']) }));
}

/** Nobody waits for what they say any more. @returns those that have no end yet */
export function* cancelChildren(turn: string, atMs: number): Work<string[]> {
  const running = (yield* all(`SELECT id FROM ${children} AND settled_at IS NULL`, turn)).map(idOf);
  for (const id of running) yield* run('UPDATE turns SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE id = ?', atMs, id);
  return running;
}

export function* listUndispatched({ readyForMs, limit }: { readyForMs: number; limit: number }): Work<string[]> {
  const sql = `SELECT id FROM turns INDEXED BY turns_undispatched
    WHERE dispatched = 0 AND ready_at IS NOT NULL AND settled_at IS NULL AND ready_at <= ? ORDER BY ready_at LIMIT ?`;
  return (yield* all(sql, (yield* now()) - readyForMs, limit)).map(idOf);
}

export function* listUnattended({ readyForMs, afterOrdinal, limit }: UnattendedQuery): Work<UnattendedTurn[]> {
  const sql = `SELECT ordinal, id, ready_at, workflow_id, owner_run FROM turns INDEXED BY turns_dispatched JOIN journal_head ON journal_head.turn = turns.id
    WHERE settled_at IS NULL AND dispatched = 1 AND ready_at <= ? AND lease_until IS NULL AND ordinal > ? ORDER BY ordinal LIMIT ?`;
  const rows = yield* all(sql, (yield* now()) - readyForMs, afterOrdinal, limit);
  return rows.map((row) => {
    const firstRunId = textOrNull(row['owner_run']);
    const owner = firstRunId === null ? {} : { owner: { workflowId: text(row['workflow_id']), firstRunId } };
    return { ordinal: Number(row['ordinal']), turn: idOf(row), readyAtMs: Number(row['ready_at']), ...owner };
  });
}

export async function markDispatched(db: SqlDatabase, runs: readonly DispatchedRun[]): Promise<void> {
  return db.commit('quick', function* () {
    for (const { turn, runId } of runs) {
      yield* run('UPDATE turns SET dispatched = 1, run_id = ? WHERE id = ?', runId, turn);
      yield* awaitFirstClaim(turn);
    }
  });
}

export async function requestCancel(db: SqlDatabase, tenant: string, publicId: string, atMs: number): Promise<CancelRequest> {
  return db.commit('quick', function* (): Work<CancelRequest> {
    let id = (yield* readByPublicId(tenant, publicId))?.id;
    if (id === undefined) {
      // One of this id may be taken in just now: whoever comes second sees what the first has written.
      yield* lockTenant(tenant);
      id = (yield* readByPublicId(tenant, publicId))?.id;
    }
    if (id !== undefined) yield* lockTurn(id);
    const turn = yield* findTurn(tenant, publicId);
    if (turn === undefined) {
      // It may be on its way: the turn is then cancelled as it comes.
      yield* run(
        'INSERT INTO early_cancels (tenant, id, at) VALUES (?, ?, ?) ON CONFLICT (tenant, id) DO UPDATE SET at = excluded.at',
        tenant,
        publicId,
        atMs,
      );
      return { type: 'unknown' };
    }
    if (turn.settledAtMs !== null) return { type: 'settled', turn };
    yield* run('UPDATE turns SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE id = ?', atMs, turn.id);
    return { type: 'accepted', turn };
  });
}

export function* listStuckCancels({ acceptedForMs, limit }: { acceptedForMs: number; limit: number }): Work<string[]> {
  const sql = `SELECT id FROM turns INDEXED BY turns_to_cancel WHERE settled_at IS NULL AND cancel_requested_at < ? LIMIT ?`;
  return (yield* all(sql, (yield* now()) - acceptedForMs, limit)).map(idOf);
}

export function* countEnded(tenant: string, withinMs: number): Work<number> {
  const sql = `SELECT 1 AS ended FROM turns
    WHERE settled_at > ? AND settled_at IS NOT NULL AND (erased_at IS NULL OR erased_by = 'owner') AND tenant = ? LIMIT ?`;
  return (yield* all(sql, (yield* now()) - withinMs, tenant, mostEnded)).length;
}

export function* counts(): Work<TurnCounts> {
  const rows = yield* all(
    `SELECT CASE WHEN status = 'in_progress' THEN 1 ELSE 0 END AS claimed, count(*) AS turns, min(ready_at) AS ready FROM turns INDEXED BY turns_unsettled
     WHERE settled_at IS NULL GROUP BY claimed`,
  );
  const of = (claimed: number): number => Number(rows.find((row) => row['claimed'] === claimed)?.['turns'] ?? 0);
  const readyAt = rows.find((row) => row['claimed'] === 0)?.['ready'];
  return {
    running: of(1),
    waiting: of(0),
    oldestReadyAtMs: readyAt == null ? null : Number(readyAt),
    oldestRenewalAtMs: yield* oldestRenewalAtMs(),
  };
}

function idOf(row: Row): string {
  return text(row['id']);
}
