import { defaultSettings } from '../../../src/domain/response-settings.ts';
import type { RetentionCut, RetentionStore, UnstoredCut } from '../../../src/store/ports/retention.ts';
import { type Connection, isUnsettled, type MemoryDatabase, type StoredSession, type StoredTurn, updateTurn } from './database.ts';
import { byPublicId } from './turns.ts';

const purgedAtOnce = 200;

export function retentionStore(connection: Connection): RetentionStore {
  const dropping = <T>(work: (database: MemoryDatabase) => T): Promise<T> =>
    connection.transaction((database) => {
      connection.notify();
      return work(database);
    });
  return {
    deleteTurn: (tenant, publicId, atMs) => dropping((database) => deleteTurn(database, tenant, publicId, atMs)),
    purgeUnstored: (cut) => dropping((database) => purgeUnstored(database, cut)),
    expire: (cut) => dropping((database) => expire(database, cut)),
  };
}

function deleteTurn(database: MemoryDatabase, tenant: string, publicId: string, atMs: number): boolean {
  const turn = byPublicId(database, tenant, publicId);
  if (turn === undefined || isUnsettled(turn)) return false;
  const isPast = turn.row.session !== null || database.turnsWhere(({ row }) => row.previous === turn.row.id).length > 0;
  erase(turn, atMs, 'owner');
  if (!isPast) turn.items = [];
  return true;
}

function purgeUnstored(database: MemoryDatabase, { acknowledgedBeforeMs, settledBeforeMs }: UnstoredCut): number {
  const purged = database
    .turnsWhere(({ row, isAcknowledged }) => {
      const isDue = isBefore(row.settledAtMs, settledBeforeMs) || (isAcknowledged && isBefore(row.settledAtMs, acknowledgedBeforeMs));
      return !row.isStored && isDue;
    })
    .slice(0, purgedAtOnce);
  for (const { row } of purged) database.turns.delete(row.id);
  for (const [key, atMs] of database.earlyCancels) if (atMs < settledBeforeMs) database.earlyCancels.delete(key);
  return purged.length;
}

function expire(database: MemoryDatabase, { beforeMs, atMs, limit }: RetentionCut): number {
  const isDue = ({ row }: StoredTurn): boolean => isBefore(row.settledAtMs, beforeMs) && row.erasedBy !== 'retention';

  const journals = database.turnsWhere((turn) => isDue(turn) && turn.journal !== undefined).slice(0, limit);
  for (const turn of journals) turn.journal = undefined;

  const sessions = [...database.sessions.values()].filter((session) => isUnused(database, session, beforeMs)).slice(0, limit);
  for (const { row } of sessions) database.sessions.delete(row.id);

  const leaves = new Set([...database.sessions.values()].map(({ row }) => row.leaf));
  const isPast = (id: string): boolean =>
    leaves.has(id) || database.turnsWhere(({ row }) => row.previous === id && row.erasedBy !== 'retention').length > 0;
  const turns = database.turnsWhere((turn) => isDue(turn) && !isPast(turn.row.id)).slice(0, limit);
  for (const turn of turns) {
    if (turn.row.erasedBy === 'owner') database.turns.delete(turn.row.id);
    else {
      erase(turn, atMs, 'retention');
      turn.items = [];
      turn.attempts = [];
    }
  }

  const stubs = database
    .turnsWhere(({ row, erasedAtMs }) => row.erasedBy === 'retention' && isBefore(erasedAtMs, beforeMs))
    .slice(0, limit);
  for (const { row } of stubs) database.turns.delete(row.id);
  return journals.length + sessions.length + turns.length + stubs.length;
}

function isUnused(database: MemoryDatabase, { row, touchedAtMs }: StoredSession, beforeMs: number): boolean {
  const isBusy = database.turnsWhere((turn) => turn.row.session === row.id && isUnsettled(turn)).length > 0;
  const leaf = row.leaf === null ? undefined : database.turns.get(row.leaf);
  return touchedAtMs < beforeMs && !isBusy && (leaf?.row.settledAtMs ?? -Infinity) < beforeMs;
}

function erase(turn: StoredTurn, atMs: number, erasedBy: 'owner' | 'retention'): void {
  turn.journal = undefined;
  turn.erasedAtMs = atMs;
  updateTurn(turn, { erasedBy, input: [], response: null, usage: null, settings: defaultSettings('') });
}

function isBefore(timeMs: number | null, beforeMs: number): boolean {
  return timeMs !== null && timeMs < beforeMs;
}
