/** What SQLite makes of the store's statements: nothing that is asked often, and no sweep, walks a table that grows. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { settleTurn } from '../../src/settle/settle-turn.ts';
import { inserted, newTurn } from './contract.ts';
import { temporaryDatabase } from './temporary.ts';

/** Of turns that are not done with, or titles that are due: what is in them leaves them soon. */
const shortIndexes = /USING (COVERING )?INDEX (turns_open|turns_unstored|sessions_untitled)/;

test('no statement walks a table, nor all turns of a session', async (t) => {
  const prepare = t.mock.method(DatabaseSync.prototype, 'prepare');
  await using database = temporaryDatabase();
  const store = database.open();
  const session = await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  await inserted(store, newTurn('resp_a', { session: 'conv_a', wantsTitle: true, joins: { settledAfterMs: 1 } }));
  await store.listUndispatchedBefore('resp_a');
  await store.listUnsettledOf('default', 'conv_a');
  await store.listUnfinished({ createdBeforeMs: 9, onlyUndispatched: true, afterOrdinal: 0, limit: 9 });
  await store.listStuckCancels(9, 9);
  await store.listUntitled(9);
  await store.recordInput('resp_a');
  await store.readTranscript('resp_a');
  await store.claim({ turn: 'resp_a', step: 1, atMs: 1, workflowId: 'workflow', runId: 'run' });
  await store.requestCancel('default', 'resp_b', 999);
  await inserted(store, newTurn('resp_b', { session: 'conv_a', whenBusy: 'interrupt', idempotencyKey: 'k' }));
  await settleTurn(store, 'resp_b', { status: 'cancelled' }, 2);
  await store.markDispatched('resp_b');
  for await (const _ of store.follow('resp_a', -1, AbortSignal.timeout(100)));
  await settleTurn(store, 'resp_a', { status: 'cancelled' }, 2);
  await store.acknowledge('resp_a');
  await store.readSessionItems({ ...session, leaf: 'resp_a' }, { limit: 9, order: 'asc', after: 'msg_resp_a' });
  await store.listSessions('default', { limit: 9, order: 'desc', after: 'conv_a' });
  await store.hasCall('resp_a', 'call_a');
  await store.findItems('default', ['msg_resp_a']);
  await store.counts();
  await store.probe();
  await store.purgeUnstored({ acknowledgedBeforeMs: 9, settledBeforeMs: 9 });
  await store.expire({ beforeMs: 9, atMs: 9, limit: 9 });
  await store.expire({ beforeMs: 99, atMs: 99, limit: 9 });

  const statements = new Set(prepare.mock.calls.map((call) => call.arguments[0]));
  const db = new DatabaseSync(database.path);
  for (const sql of [...statements].filter((each) => /\b(SELECT|UPDATE|DELETE)\b/.test(each))) {
    const values = Array.from(sql.matchAll(/\?/g), () => null);
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
    for (const detail of plan.map((step) => String(step['detail']))) {
      const isWalk = /^SCAN (turns|items|attempts|journal|sessions|branches)/.test(detail) && !shortIndexes.test(detail);
      // Whether a session has any turn yet, the first one that is found tells.
      const isWholeSession = detail.includes('turns_by_session') && !sql.includes('title_turn IS NULL');
      assert.ok(!isWalk && !isWholeSession, `${detail}, in: ${sql}`);
    }
  }
  db.close();
});
