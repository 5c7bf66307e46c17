import { mostBreakers, probeMs, stateOf, trip } from '../../../src/domain/turn/breaker.ts';
import type { BreakerStore } from '../../../src/store/ports/breakers.ts';
import type { Connection } from './database.ts';

export function breakerStore(connection: Connection): BreakerStore {
  return {
    readBreakers: () =>
      connection.transaction(({ breakers }) => ({
        nowMs: Date.now(),
        rows: [...breakers.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)).slice(0, mostBreakers),
      })),
    tripBreaker: (failed) =>
      connection.transaction(({ breakers }) => {
        const before = breakers.get(failed.key);
        const after = trip(before, { ...failed, nowMs: Date.now() });
        if (after !== undefined) breakers.set(failed.key, after);
        const row = after ?? before;
        if (row === undefined) throw new Error('a breaker that is closed opens');
        return row;
      }),
    probeBreaker: (key) =>
      connection.transaction(({ breakers }) => {
        const row = breakers.get(key);
        if (row === undefined || stateOf(row, Date.now()).type !== 'due') return false;
        breakers.set(key, { ...row, probeUntilMs: Date.now() + probeMs });
        return true;
      }),
    closeBreaker: (key) =>
      connection.transaction(({ breakers }) => {
        breakers.delete(key);
      }),
  };
}
