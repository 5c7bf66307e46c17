/** A claim that is refused writes nothing: most of them find a turn that its head start has ended, or that another process holds. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Store } from '../../src/store/ports/store.ts';
import { watchCommits } from './commits.ts';
import { claimed, expiredLease, inserted, lease, newTurn, row, settle } from './contract.ts';
import { temporaryDatabase } from './temporary.ts';

const refusals: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  settled: (store) => settle(store, 'resp_a'),
  held: (store) => claimed(store, 'resp_a'),
  async started(store) {
    const { epoch, attempt } = await claimed(store, 'resp_a', { lease: expiredLease });
    await store.append({ turn: 'resp_a', epoch, rows: [row(3)], starts: { turn: 'resp_a', step: 1, attempt } });
  },
  cancelled: (store) => store.requestCancel('default', 'resp_a', 5),
  ahead: (store) => store.readTurn('resp_a'),
  async not_due(store) {
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const end = { outcome: 'failed', endedAtMs: Date.now(), waitMs: 60_000 } as const;
    await store.endAttempt({ turn: 'resp_a', step: 1, attempt }, epoch, end);
  },
};

const ofStep: Readonly<Record<string, number>> = { ahead: 2 };

for (const [type, bring] of Object.entries(refusals)) {
  test(`a claim of a turn that is ${type} makes no commit, and needs no lock`, async (context) => {
    await using database = temporaryDatabase();
    const store = database.open();
    await inserted(store, newTurn('resp_a'));
    await bring(store);
    const writer = new DatabaseSync(database.path);
    writer.exec('BEGIN IMMEDIATE');
    const commits = watchCommits(context);
    assert.equal((await store.claim({ turn: 'resp_a', step: ofStep[type] ?? 1, lease })).type, type);
    assert.deepEqual(
      commits.filter((rows) => rows > 0),
      [],
    );
    writer.exec('ROLLBACK');
    writer.close();
  });
}
