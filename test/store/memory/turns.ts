import { decideAdmission } from '../../../src/domain/admission.ts';
import type { TurnRow } from '../../../src/domain/turn.ts';
import type { CancelRequest, InsertTurn, NewTurn, TurnStore } from '../../../src/store/ports/turns.ts';
import { turnRow } from '../../support/turn-row.ts';
import { type Connection, isUnfinished, isUnsettled, type MemoryDatabase, type StoredTurn, updateTurn } from './database.ts';

export function turnStore(connection: Connection): TurnStore {
  return {
    insertTurn: (turn) => connection.transaction((database) => insertTurn(database, turn)),
    readTurn: (id) => connection.transaction(({ turns }) => turns.get(id)?.row),
    findTurn: (tenant, id) => connection.transaction(({ turns }) => visible(turns.get(id), tenant)?.row),
    listUnsettledOf: (tenant, session) => connection.transaction((database) => unsettledIn(database, tenant, session).map(rowOf)),
    markDispatched: (id) =>
      connection.transaction(({ turns }) => {
        const turn = turns.get(id);
        if (turn !== undefined) updateTurn(turn, { isDispatched: true });
      }),
    listUndispatchedBefore: (id) =>
      connection.transaction((database) => {
        const later = database.turns.get(id);
        if (later === undefined || later.row.session === null) return [];
        const isEarlier = ({ ordinal, row }: StoredTurn): boolean =>
          row.tenant === later.row.tenant && row.session === later.row.session && ordinal < later.ordinal;
        return database.turnsWhere((turn) => isEarlier(turn) && !turn.row.isDispatched && isUnfinished(turn)).map(rowOf);
      }),
    listUnfinished: ({ createdBeforeMs, onlyUndispatched, afterOrdinal, limit }) =>
      connection.transaction((database) =>
        database
          .turnsWhere(({ ordinal, row }) => row.createdAtMs < createdBeforeMs && ordinal > afterOrdinal)
          .filter((turn) => isUnfinished(turn) && !(onlyUndispatched && turn.row.isDispatched))
          .slice(0, limit)
          .map(({ ordinal, row }) => ({ ordinal, turn: row })),
      ),
    recordInput: (id) =>
      connection.transaction((database) => {
        const turn = database.requireTurn(id);
        record(database, turn);
        return turn.row;
      }),
    readTranscript: (id) =>
      connection.transaction((database) =>
        database
          .chainTo(id)
          .filter(({ row, items }) => row.id !== id && items.length > 0)
          .map(({ row: { status, errorCode }, items }) => ({ status, errorCode, items })),
      ),
    requestCancel: (tenant, id, atMs) =>
      connection.transaction(({ turns, earlyCancels }): CancelRequest => {
        const turn = visible(turns.get(id), tenant);
        if (turn === undefined) {
          earlyCancels.set(`${tenant} ${id}`, atMs);
          return { type: 'unknown' };
        }
        if (!isUnsettled(turn)) return { type: 'settled' };
        const { row } = turn;
        updateTurn(turn, { cancelRequestedAtMs: row.cancelRequestedAtMs ?? atMs });
        return { type: 'accepted', turn: row };
      }),
    listStuckCancels: (acceptedBeforeMs, limit) =>
      connection.transaction((database) =>
        database
          .turnsWhere((turn) => isUnsettled(turn) && (turn.row.cancelRequestedAtMs ?? Infinity) < acceptedBeforeMs)
          .slice(0, limit)
          .map(rowOf),
      ),
    acknowledge: (id) =>
      connection.transaction(({ turns }) => {
        const turn = turns.get(id);
        if (turn !== undefined && !isUnsettled(turn)) turn.isAcknowledged = true;
      }),
    counts: () =>
      connection.transaction((database) => {
        const unsettled = database.turnsWhere(isUnsettled);
        const running = unsettled.filter(({ row }) => row.runId !== null).length;
        return { running, waiting: unsettled.length - running };
      }),
  };
}

function insertTurn(database: MemoryDatabase, turn: NewTurn): InsertTurn {
  const { id, tenant, session, previous, settings, input, idempotencyKey, bodyHash, createdAtMs, joins } = turn;
  const { turns, earlyCancels } = database;
  const key = `${tenant} ${id}`;
  // All at once, as one round trip to a server would bring them.
  const admission = decideAdmission(turn, {
    same: (turns.get(id) ?? database.turnsWhere((each) => isOfKey(each, turn))[0])?.row,
    twin: joins && database.turnsWhere((each) => isTwin(each, turn, joins.settledAfterMs)).at(-1)?.row,
    hasSession: session !== null && database.sessionOf(tenant, session) !== undefined,
    unsettledInSession: unsettledIn(database, tenant, session).map(({ row }) => ({
      id: row.id,
      isCancelRequested: row.cancelRequestedAtMs !== null,
    })),
    unsettledOfTenant: database.turnsWhere((each) => each.row.tenant === tenant && isUnsettled(each)).length,
    earlyCancelAtMs: earlyCancels.get(key),
  });
  if (admission.type !== 'admitted') return admission;
  const { cancelRequestedAtMs, interrupts } = admission;
  if (cancelRequestedAtMs !== null) earlyCancels.delete(key);
  const { replaces = null } = turn;
  const isStored = settings.store;
  const row = turnRow({ id, tenant, session, previous, replaces, settings, input, bodyHash, createdAtMs, isStored, cancelRequestedAtMs });
  if (session !== null) useSession(database, turn, session);
  database.addTurn(row, { idempotencyKey, journal: { epoch: 0, isSealed: false, rows: turn.events } });
  if (interrupts === undefined) return { type: 'inserted', turn: row };
  updateTurn(database.requireTurn(interrupts), { cancelRequestedAtMs: createdAtMs });
  return { type: 'inserted', turn: row, interrupted: interrupts };
}

/** Before the turn is in. */
function useSession(database: MemoryDatabase, { id, tenant, createdAtMs, wantsTitle }: NewTurn, sessionId: string): void {
  const session = database.sessionOf(tenant, sessionId);
  if (session === undefined) return;
  session.touchedAtMs = Math.max(session.touchedAtMs, createdAtMs);
  const isFirst = database.turnsWhere(({ row }) => row.session === sessionId && row.kind === 'response' && row.isStored).length === 0;
  if (wantsTitle === true && isFirst) session.titleTurn ??= id;
}

function isOfKey({ row, idempotencyKey }: StoredTurn, turn: NewTurn): boolean {
  return row.tenant === turn.tenant && idempotencyKey !== null && idempotencyKey === turn.idempotencyKey;
}

function isTwin({ row, isAcknowledged }: StoredTurn, turn: NewTurn, settledAfterMs: number): boolean {
  const isSame = row.tenant === turn.tenant && row.bodyHash === turn.bodyHash && row.session === turn.session && row.erasedBy === null;
  return isSame && (row.settledAtMs === null || (row.settledAtMs > settledAfterMs && !isAcknowledged));
}

function unsettledIn(database: MemoryDatabase, tenant: string, session: string | null): StoredTurn[] {
  return database.turnsWhere((turn) => isUnsettled(turn) && turn.row.tenant === tenant && turn.row.session === session);
}

function visible(turn: StoredTurn | undefined, tenant: string): StoredTurn | undefined {
  if (turn?.row.tenant !== tenant || turn.row.kind !== 'response' || turn.row.erasedBy === 'owner') return undefined;
  return turn.row.isStored || isUnsettled(turn) ? turn : undefined;
}

function record(database: MemoryDatabase, turn: StoredTurn): void {
  const { id, isRecorded, isStored, session, input, erasedBy } = turn.row;
  if (isRecorded) return;
  const previous = session === null ? turn.row.previous : previousInSession(database, turn.row, session);
  const before = previous === null ? undefined : database.turns.get(previous);
  if (before !== undefined) record(database, before);
  updateTurn(turn, { isRecorded: true, previous });
  if (!isStored) return;
  turn.items = [...turn.items, ...input];
  if (erasedBy !== null) updateTurn(turn, { input: [] });
  const pointer = session === null ? undefined : database.sessions.get(session);
  if (pointer !== undefined) pointer.row = { ...pointer.row, leaf: id };
}

function previousInSession(database: MemoryDatabase, { replaces }: TurnRow, session: string): string | null {
  if (replaces === null) return database.sessions.get(session)?.row.leaf ?? null;
  const replaced = database.turns.get(replaces);
  if (replaced !== undefined) record(database, replaced);
  return replaced?.row.previous ?? null;
}

function rowOf({ row }: StoredTurn): TurnRow {
  return row;
}
