import type { StoredCompletion } from '../../../src/domain/turn/turn-list.ts';
import type { CompletionStore } from '../../../src/store/ports/turns.ts';
import type { Connection, StoredTurn } from './database.ts';
import { byPublicId } from './turns.ts';

export function completionStore(connection: Connection): CompletionStore {
  return {
    findCompletion: (tenant, publicId) => connection.transaction((database) => completionOf(byPublicId(database, tenant, publicId))),
    listCompletions: (tenant, { limit, order, after, model, metadata = {} }) =>
      connection.transaction((database) => {
        const all = database.turnsWhere((turn) => turn.row.tenant === tenant && completionOf(turn) !== undefined);
        const sorted = order === 'asc' ? all : all.toReversed();
        const at = sorted.findIndex(({ row }) => row.publicId === after);
        if (after !== undefined && at < 0) return undefined;
        return sorted
          .slice(at + 1)
          .filter(({ row }) => model === undefined || row.settings.model === model)
          .flatMap((turn) => completionOf(turn) ?? [])
          .filter((row) => Object.entries(metadata).every(([key, value]) => row.metadata[key] === value))
          .slice(0, limit);
      }),
    updateCompletion: (tenant, publicId, metadata) =>
      connection.transaction((database) => {
        const turn = byPublicId(database, tenant, publicId);
        const found = completionOf(turn);
        if (turn?.completion === undefined || found === undefined) return undefined;
        turn.completion = { ...turn.completion, metadata };
        return { ...found, metadata };
      }),
  };
}

function completionOf(turn: StoredTurn | undefined): StoredCompletion | undefined {
  if (turn?.completion === undefined || turn.row.erasedBy !== null) return undefined;
  if (!['completed', 'incomplete'].includes(turn.row.status)) return undefined;
  return { turn: turn.row.id, publicId: turn.row.publicId, ...turn.completion };
}
