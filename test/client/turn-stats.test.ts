/** How far a question for what became of turns goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTurnStats } from '../../src/client/turn-stats.ts';
import type { CountedPage, CountedQuery } from '../../src/store/ports/store.ts';

const day = 86_400_000;
const now = Date.parse('2026-01-31T12:00:00Z');

/** A database without end: turn n before the newest was taken in n hours ago. */
function endless(rowsOfPage: number): {
  readonly asked: CountedQuery[];
  readCounted: (tenant: string, query: CountedQuery) => Promise<CountedPage>;
} {
  const asked: CountedQuery[] = [];
  return {
    asked,
    readCounted: async (_tenant, query) => {
      asked.push(query);
      const ordinal = (query.before ?? 1_000_000) - 1;
      const createdAtMs = now - 3_600_000 * (999_999 - ordinal);
      const isAskedFor = createdAtMs >= (query.filter.sinceMs ?? 0);
      const turn = { status: 'completed', errorCode: null, model: 'm', createdAtMs, attempts: [] } as const;
      return { turns: isAskedFor ? [turn] : [], rows: rowsOfPage, last: { ordinal, createdAtMs } };
    },
  };
}

test('T14 · a question looks at so many turns and requests, and says from when on it has counted all', async () => {
  const store = endless(50_000);
  const { turns, complete, since } = (await readTurnStats(store, 'default', {})) as Record<string, unknown>;
  assert.deepEqual([turns, complete, since], [4, false, '2026-01-31T09:00:00.000Z']);
  assert.equal(store.asked.length, 4);
});

test('it ends where all older turns were taken in too early, whatever the clocks of the machines say', async () => {
  const store = endless(1);
  const { turns, complete, since } = (await readTurnStats(store, 'default', { sinceMs: now - day })) as Record<string, unknown>;
  assert.deepEqual([turns, complete, since], [25, true, '2026-01-30T12:00:00.000Z']);
  // A day for the clocks, and the first that is behind it.
  assert.equal(store.asked.length, 50);
});
