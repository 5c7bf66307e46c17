import { defaultSettings } from '../../../src/domain/response/response-settings.ts';
import type { RetentionCut, RetentionStore, UnstoredCut } from '../../../src/store/ports/retention.ts';
import { type Connection, isUnsettled, type MemoryDatabase, type StoredSession, type StoredTurn, updateTurn } from './database.ts';
import { forgetApprovals } from './tool-call-rows.ts';
import { byPublicId } from './turns.ts';

const purgedAtOnce = 200;

export function retentionStore(connection: Connection): RetentionStore {
  const dropping = <T>(work: (database: MemoryDatabase) => T): Promise<T> =>
    connection.transaction((database) => {
      connection.notify();
      return work(database);
    });
  return {
    lead: (task, { holder, lengthMs }) =>
      connection.transaction(({ leaders }) => {
        const leader = leaders.get(task);
        const now = Date.now();
        const isHeld = leader !== undefined && leader.untilMs >= now && leader.untilMs <= now + lengthMs;
        if (isHeld && leader.holder !== holder) return false;
        leaders.set(task, { holder, untilMs: now + lengthMs });
        return true;
      }),
    deleteTurn: (tenant, publicId, atMs) => dropping((database) => deleteTurn(database, tenant, publicId, atMs)),
    purgeUnstored: (cut) => dropping((database) => purgeUnstored(database, cut)),
    expire: (cut) => dropping((database) => expire(database, cut)),
  };
}

function deleteTurn(database: MemoryDatabase, tenant: string, publicId: string, atMs: number): boolean {
  const turn = byPublicId(database, tenant, publicId);
  if (turn === undefined || isUnsettled(turn)) return false;
  const isLeaf = [...database.sessions.values()].some(({ row }) => row.leaf === turn.row.id);
  const isPast = turn.row.session !== null || isLeaf || database.turnsWhere(({ row }) => row.previous === turn.row.id).length > 0;
  erase(database, turn, atMs, 'owner');
  if (!isPast) {
    turn.input = [];
    turn.output = [];
    turn.hidden = [];
  }
  return true;
}

function purgeUnstored(database: MemoryDatabase, cut: UnstoredCut): number {
  const { acknowledgedBeforeMs, settledBeforeMs, ownedBeforeMs = settledBeforeMs } = cut;
  const purged = database
    .turnsWhere(({ row, isAcknowledged }) => {
      const isOwned = row.ownerRunId !== null;
      const unseenBeforeMs = isOwned ? Math.min(settledBeforeMs, ownedBeforeMs) : settledBeforeMs;
      const seenBeforeMs = isOwned ? Math.min(ownedBeforeMs, acknowledgedBeforeMs) : acknowledgedBeforeMs;
      const isDue = isBefore(row.settledAtMs, isAcknowledged ? seenBeforeMs : unseenBeforeMs);
      const isAwaited = row.parent !== null && database.turns.get(row.parent.turn)?.row.settledAtMs === null;
      return !row.isStored && isDue && !isAwaited;
    })
    .slice(0, purgedAtOnce);
  for (const { row } of purged) drop(database, row.id);
  for (const [key, atMs] of database.earlyCancels) if (atMs < settledBeforeMs) database.earlyCancels.delete(key);
  return purged.length;
}

/** All in one go. */
function expire(database: MemoryDatabase, { beforeMs, atMs }: RetentionCut): undefined {
  const isDue = ({ row }: StoredTurn): boolean => isBefore(row.settledAtMs, beforeMs) && row.erasedBy !== 'retention';
  for (const session of database.sessions.values()) {
    if (isUnused(database, session, beforeMs)) database.sessions.delete(session.row.id);
  }
  const leaves = new Set([...database.sessions.values()].map(({ row }) => row.leaf));
  const isPast = (id: string): boolean =>
    leaves.has(id) || database.turnsWhere(({ row }) => row.previous === id && row.erasedBy !== 'retention').length > 0;
  for (const turn of database.turnsWhere(isDue).toReversed()) {
    if (isPast(turn.row.id)) turn.journal = undefined;
    else if (turn.row.erasedBy === 'owner') drop(database, turn.row.id);
    else {
      erase(database, turn, atMs, 'retention');
      turn.input = [];
      turn.output = [];
      turn.hidden = [];
    }
  }
  const isStub = ({ row, erasedAtMs }: StoredTurn): boolean => row.erasedBy === 'retention' && isBefore(erasedAtMs, beforeMs);
  for (const { row } of database.turnsWhere(isStub)) drop(database, row.id);
  return undefined;
}

function isUnused(database: MemoryDatabase, { row, touchedAtMs }: StoredSession, beforeMs: number): boolean {
  const isBusy = database.turnsWhere((turn) => turn.row.session === row.id && isUnsettled(turn)).length > 0;
  const leaf = row.leaf === null ? undefined : database.turns.get(row.leaf);
  return touchedAtMs < beforeMs && !isBusy && (leaf?.row.settledAtMs ?? -Infinity) < beforeMs;
}

function drop(database: MemoryDatabase, id: string): void {
  forgetApprovals(database, id);
  database.turns.delete(id);
}

function erase(database: MemoryDatabase, turn: StoredTurn, atMs: number, erasedBy: 'owner' | 'retention'): void {
  turn.journal = undefined;
  turn.erasedAtMs = atMs;
  turn.response = undefined;
  turn.webhook = undefined;
  turn.attempts = [];
  turn.toolCalls = [];
  forgetApprovals(database, turn.row.id);
  updateTurn(turn, { erasedBy, inputCount: 0, usage: null, settings: defaultSettings(turn.row.settings.model) });
}

function isBefore(timeMs: number | null, beforeMs: number): boolean {
  return timeMs !== null && timeMs < beforeMs;
}
