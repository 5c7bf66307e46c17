import { mostViewers } from '../../../src/domain/turn/viewer.ts';
import type { ViewerStore } from '../../../src/store/ports/viewers.ts';
import type { Connection } from './database.ts';

export function viewerStore(connection: Connection): ViewerStore {
  return {
    noteViewers: (viewers) =>
      connection.transaction(({ turns }) => {
        for (const viewer of viewers) {
          const turn = turns.get(viewer.turn);
          if (turn?.journal === undefined) continue;
          const others = turn.viewers.filter(({ id }) => id !== viewer.id);
          turn.viewers = [...others, viewer].toSorted((one, other) => one.openedAtMs - other.openedAtMs).slice(-mostViewers);
        }
      }),
    readViewers: (turn) =>
      connection.transaction(({ turns }) => (turns.get(turn)?.journal === undefined ? [] : (turns.get(turn)?.viewers ?? []))),
  };
}
