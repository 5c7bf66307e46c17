/** What a turn without tools, without a past and without webhooks asks of the database: a budget, since each statement is on the way of every turn. */
import assert from 'node:assert/strict';
import { StatementSync } from 'node:sqlite';
import { test } from 'node:test';
import { inProgressOf, inserted, lease, newTurn, row, sealOf } from './contract.ts';
import { temporaryDatabase } from './temporary.ts';

const asks = ['run', 'get', 'all', 'iterate'] as const;

test('a plain turn asks the database no more than it needs', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  const mocks = asks.map((name) => t.mock.method(StatementSync.prototype, name));
  const counted = async (work: () => Promise<unknown>): Promise<number> => {
    for (const { mock } of mocks) mock.resetCalls();
    await work();
    return mocks.reduce((sum, { mock }) => sum + mock.callCount(), 0);
  };
  const turn = newTurn('resp_a');
  const end = { outcome: 'completed', endedAtMs: 5 } as const;
  const attempt = { turn: 'resp_a', step: 1, attempt: 1 };
  const statements = {
    insertTurn: await counted(() => inserted(store, { ...turn, headStart: { lease, row: inProgressOf(turn) } })),
    readTranscript: await counted(() => store.readTranscript('resp_a')),
    append: await counted(() => store.append({ turn: 'resp_a', epoch: 1, rows: [row(3)], starts: attempt })),
    seal: await counted(() => store.seal(sealOf('resp_a', 1, { rows: [row(4)], attempt: { ...attempt, end } }))),
  };
  assert.deepEqual(statements, { insertTurn: 12, readTranscript: 1, append: 5, seal: 8 });
});
