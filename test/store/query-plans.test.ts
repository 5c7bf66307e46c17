/** What SQLite makes of the store's statements: nothing that is asked often, and no sweep, walks a table that grows. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { expiredLease, inProgressOf, inserted, lease, newTurn, settle } from './contract.ts';
import { temporaryDatabase } from './temporary.ts';

/** Of turns that are not done with, or titles that are due: what is in them leaves them soon. */
const shortIndexes = /USING (COVERING )?INDEX (turns_open|turns_unstored|sessions_untitled)/;

test('no statement walks a table, nor all turns of a session', async (t) => {
  const prepare = t.mock.method(DatabaseSync.prototype, 'prepare');
  await using database = temporaryDatabase();
  const store = database.open();
  const session = await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  const first = newTurn('resp_a', { session: 'conv_a', wantsTitle: true, isResend: true });
  await inserted(store, { ...first, headStart: { lease, row: inProgressOf(first) } });
  await store.listUnsettledOf('default', 'conv_a');
  await store.listUndispatched({ readyForMs: 9, limit: 9 });
  await store.listUnattended({ readyForMs: 9, afterOrdinal: 0, limit: 9 });
  await store.listStuckCancels({ acceptedForMs: 9, limit: 9 });
  await store.listExpiredLeases(9);
  await store.listUntitled(9);
  await store.markTitleStarted('conv_a');
  await store.bookTitleRequest('conv_a');
  await store.releaseTitleRequest('conv_a');
  await store.readTranscript('resp_a');
  await store.beat({ lease, turns: ['resp_a'] });
  await store.endAttempt({ turn: 'resp_a', step: 1, attempt: 1 }, 1, { endedAtMs: 9, outcome: 'failed', waitMs: 0 });
  await store.claim({ turn: 'resp_a', step: 1, lease: expiredLease, run: { workflowId: 'workflow', runId: 'run' } });
  await store.claim({ turn: 'resp_a', step: 1, lease });
  await store.requestCancel('default', 'resp_b', 999);
  await inserted(store, newTurn('resp_b', { session: 'conv_a', whenBusy: 'interrupt', idempotencyKey: 'k' }));
  await inserted(store, newTurn('resp_c', { session: 'conv_a', bodyHash: 'other' }));
  await settle(store, 'resp_b');
  await store.markDispatched([{ turn: 'resp_a', runId: 'run' }]);
  for await (const _ of store.follow('resp_a', -1, AbortSignal.timeout(100)));
  await settle(store, 'resp_a');
  await inserted(store, newTurn('resp_d', { previous: 'resp_a' }));
  await store.acknowledge('resp_a');
  await store.readSessionItems({ ...session, leaf: 'resp_a' }, { limit: 9, order: 'asc', after: 'msg_resp_a' });
  await store.listSessions('default', { limit: 9, order: 'desc', after: 'conv_a' });
  await store.deleteSession('default', 'conv_a');
  await store.deleteTurn('default', 'resp_a', 9);
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
