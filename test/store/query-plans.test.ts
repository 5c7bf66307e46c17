/** What SQLite makes of the store's statements: nothing that is asked often, and no sweep, walks a table that grows. */
import assert from 'node:assert/strict';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { test } from 'node:test';
import type { InputItem } from '../../src/domain/item.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { webhookEvents } from '../../src/domain/turn/webhook.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { claimed, ended, expiredLease, inProgressOf, inserted, lease, newTurn, row, sealOf, settle } from './contract.ts';
import { newCall } from './contract-tool-calls.ts';
import { temporaryDatabase } from './temporary.ts';

/** Of turns that are not done with, or titles that are due: what is in them leaves them soon. */
const shortIndexes = /USING (COVERING )?INDEX (turns_unsettled|turns_unstored|turns_erasing|turn_stubs|sessions_untitled)/;
/** What is in the middle of being written, providers that are away, and what the statement itself was given. */
const shortTables = /^SCAN (staged|stretch|wanted|breakers|json_each|CONSTANT ROW|\d+ CONSTANT ROWS?)\b/;

test('no statement walks a table, sorts what an index could give in order, or looks at all turns of a session', async (t) => {
  const prepare = t.mock.method(DatabaseSync.prototype, 'prepare');
  await using database = temporaryDatabase();
  const store = database.open();
  const session = await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  const first = newTurn('resp_a', { session: 'conv_a', wantsTitle: true, isResend: true, webhookEvents });
  await inserted(store, { ...first, headStart: { lease, row: inProgressOf(first) } });
  await store.listUnsettledOf('default', 'conv_a');
  const filter = { status: 'failed', code: 'worker_lost', session: 'conv_a', model: 'm', sinceMs: 1, untilMs: 2 } as const;
  await store.listTurns('default', { filter, limit: 9, after: 'resp_a' });
  await store.readCounted('default', { filter, before: 9 });
  for (const order of ['asc', 'desc'] as const) await store.listCompletions('default', { limit: 9, order });
  await store.findCompletion('default', 'resp_a');
  await store.updateCompletion('default', 'resp_a', {});
  await store.countEnded('default', 9);
  await store.tripBreaker({ key: 'k', detail: '503', isProbe: false });
  await store.readBreakers();
  await store.probeBreaker('k');
  await store.closeBreaker('k');
  await store.listUndispatched({ readyForMs: 9, limit: 9 });
  await store.listUnattended({ readyForMs: 9, afterOrdinal: 0, limit: 9 });
  await store.listStuckCancels({ acceptedForMs: 9, limit: 9 });
  await store.listOverdue({ dueForMs: 9, limit: 9 });
  for (const hasWorker of [true, false]) await store.listExpiredLeases({ limit: 9, hasWorker });
  await store.listUntitled(9);
  await store.markTitleStarted('conv_a');
  await store.bookTitleRequest('conv_a');
  await store.releaseTitleRequest('conv_a');
  await store.readTranscript('resp_a');
  await store.listUnstartedWebhooks(9);
  await store.markWebhookStarted('resp_a');
  await store.beat({ lease, turns: ['resp_a'] });
  await store.endAttempt({ turn: 'resp_a', step: 1, attempt: 1 }, 1, { endedAtMs: 9, outcome: 'failed', waitMs: 0 });
  await store.claim({ turn: 'resp_a', step: 1, lease: expiredLease, run: { workflowId: 'workflow', runId: 'run' } });
  await store.claim({ turn: 'resp_a', step: 1, lease });
  await store.requestCancel('default', 'resp_b', 999);
  await inserted(store, newTurn('resp_b', { session: 'conv_a', whenBusy: 'interrupt', idempotencyKey: 'k' }));
  await inserted(store, newTurn('resp_c', { session: 'conv_a', bodyHash: 'other', chosenId: 'resp_z' }));
  await settle(store, 'resp_b');
  await store.markDispatched([{ turn: 'resp_a', runId: 'run' }]);
  for await (const _ of store.follow('resp_a', -1, AbortSignal.timeout(100)));
  await settle(store, 'resp_a');
  await store.readRecordings('resp_a', { after: { epoch: 1, part: 1 }, limit: 9 });
  await store.readWebhook('resp_a');
  await store.noteWebhook('resp_a', { status: 'pending', attempts: 1, lastError: null });
  await store.acknowledge('resp_a');
  await store.retractAcknowledgement('resp_a');
  await store.readResponse('resp_a');
  await store.readInputPage('resp_a', { limit: 9, order: 'desc', after: 'msg_resp_a' });
  await store.readInputCursor('resp_a', { limit: 9, order: 'desc' }, { id: 'msg_resp_a', times: 1 });
  await inserted(store, newTurn('resp_d', { previous: 'resp_a', input: many(1_200) }));
  await inserted(store, newTurn('resp_d', { id: 'resp_e', idempotencyKey: 'k', input: many(1_200) })).catch(() => undefined);
  for (const order of ['asc', 'desc'] as const) {
    const page = { limit: 9, order };
    await store.readChain('resp_d', { ...page, after: 'resp_a' });
    await store.readSessionItems({ ...session, leaf: 'resp_a' }, { ...page, after: 'msg_resp_a' });
    await store.listSessions('default', { ...page, after: 'conv_a' });
    await store.listSessions('default', { ...page, sinceMs: 1, untilMs: 2 });
    await store.noteViewers([{ turn: 'resp_a', id: 'v', protocol: 'sse', openedAtMs: 1, fromSeq: 0, lastSeq: 0 }]);
    await store.readViewers('resp_a');
    await store.readApprovals('resp_a');
  }
  await store.findUnknownCall('default', 'resp_d', ['call_a']);
  await store.findItems('default', ['msg_resp_a'], 1_000);
  await store.findModels('default', ['resp_a', 'resp_z']);
  await store.deleteSession('default', 'conv_a');
  await store.deleteTurn('default', 'resp_a', 9);
  await store.counts();
  await store.probe();
  await store.lead('retention', lease);
  const settings = { ...defaultSettings('scripted'), store: false };
  await ended(store, 'resp_u', { settings });
  await store.purgeUnstored({ acknowledgedBeforeMs: 9, settledBeforeMs: Date.now() + 9 });
  await ended(store, 'resp_v');
  const cut = { beforeMs: Date.now() + 9, atMs: 9 };
  for (const phase of ['sessions', 'turns', 'stubs'] as const) await store.expire(cut, { phase });
  await ended(store, 'resp_w');
  await inserted(store, newTurn('resp_x', { previous: 'resp_w' }));
  await store.expire({ ...cut, beforeMs: Date.now() + 9 }, { phase: 'turns' });
  const db = new Database(database.path);
  await new Promise<void>((resolve, reject) => {
    const stop = db.watch({ onChange: () => (stop(), resolve()), onFailure: reject });
    const claim = claimed(store, 'resp_x');
    claim
      .then(({ epoch }) =>
        store.append({
          turn: 'resp_x',
          epoch,
          rows: [row(3)],
          recording: [{ step: 1, attempt: 1, epoch, part: 0, data: new Uint8Array(1) }],
        }),
      )
      .catch(reject);
  });
  db.close();
  const approvals = { answered: [{ id: 'mcpr_a', askedBy: 'resp_asks' }], calls: [newCall(0)] };
  await inserted(store, newTurn('resp_t', { approvals }));
  const tools = await store.claim({ turn: 'resp_t', step: 1, lease });
  assert.ok(tools.type === 'tools');
  const call = { turn: 'resp_t', number: 0, epoch: tools.epoch };
  await store.startToolCall({ ...call, shown: { position: 0, rows: [row(3)] } });
  await store.noteProgress(call, 'half');
  const end = { status: 'completed', output: 'all' } as const;
  await store.endToolCall({ ...call, rows: [row(4)], outcome: 'completed', result: 'all', end });
  await store.endToolRound(call);
  const { epoch, attempt } = await claimed(store, 'resp_t');
  const done = { turn: 'resp_t', step: 1, attempt, end: { endedAtMs: 9, outcome: 'completed' } } as const;
  await store.endStep({ turn: 'resp_t', epoch, rows: [row(5)], attempt: done, calls: [newCall(1)], isLast: true });
  for (const step of [undefined, 2]) assert.notEqual((await store.readToolCalls('resp_t', step)).length, 0);

  const plans = new DatabaseSync(database.path);
  const statements = new Set(prepare.mock.calls.map((call) => call.arguments[0]));
  for (const sql of [...statements].filter((each) => /\b(SELECT|UPDATE|DELETE)\b/.test(each))) {
    const values = Array.from(sql.matchAll(/\?/g), () => null);
    const plan = plans.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
    const details = plan.map((step) => String(step['detail']));
    const isShort = details.some((detail) => shortIndexes.test(detail));
    for (const detail of details) {
      const isWalk = detail.startsWith('SCAN ') && !shortIndexes.test(detail) && !shortTables.test(detail);
      // What is new since the last look is grouped, and little.
      const isSort = detail.includes('TEMP B-TREE') && !isShort && !sql.includes('GROUP BY turn');
      assert.ok(!isWalk && !isSort, `${detail}, in: ${sql}`);
    }
  }
  plans.close();
});

test('T14 · the calls of a turn are read without their results', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  const prepare = t.mock.method(DatabaseSync.prototype, 'prepare');
  await store.readToolCalls('resp_a');
  const sql = prepare.mock.calls.map((call) => call.arguments[0]).find((each) => each.includes('FROM tool_calls')) ?? '';
  assert.match(sql, /^SELECT turn, /);
  assert.doesNotMatch(sql, /\*|\bresult\b/);
});

test('T14 · what a turn has spent is read at one cost, however many turns it has called that have their end', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
  const all = t.mock.method(StatementSync.prototype, 'all');
  /** Statements that may find several rows, and the rows that they found. */
  const costOf = async (work: () => Promise<unknown>): Promise<number> => {
    all.mock.resetCalls();
    await work();
    return all.mock.calls.reduce((sum, { result = [] }) => sum + result.length, all.mock.callCount());
  };
  const spent: number[] = [];
  const sealed: number[] = [];
  for (let number = 0; number < 9; number += 1) {
    const id = `resp_${number}`;
    await inserted(store, newTurn(id, { bodyHash: id, parent: { turn: 'resp_a', number } }));
    const { epoch, attempt } = await claimed(store, id);
    spent.push(await costOf(async () => store.readSpending(id, 1)));
    const end = { endedAtMs: 9, outcome: 'completed', spent: { outputTokens: 1, costUsd: 0 } } as const;
    sealed.push(await costOf(async () => store.seal(sealOf(id, epoch, { attempt: { turn: id, step: 1, attempt, end } }))));
  }
  all.mock.restore();
  assert.deepEqual([new Set(spent).size, new Set(sealed).size], [1, 1], `${spent.join(' ')}, ${sealed.join(' ')}`);
  assert.equal((await store.readSpending('resp_a', 1))?.session.outputTokens, 9);
});

test('T14 · the list of turns reads neither what was said nor their settings', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  await inserted(store, newTurn('resp_a'));
  const prepare = t.mock.method(DatabaseSync.prototype, 'prepare');
  assert.equal((await store.listTurns('default', { filter: {}, limit: 9 }))?.length, 1);
  const statements = prepare.mock.calls.map((call) => call.arguments[0]);
  assert.ok(statements.length > 0);
  for (const sql of statements) assert.doesNotMatch(sql, /turn_content|\bitems\b|\bjournal\b/);
});

test('T14 · what may be large stands in tables with row ids: a table kept by its key reads the large rows on the way to a small one', async () => {
  await using database = temporaryDatabase();
  const db = new Database(database.path);
  for (const table of ['items', 'journal', 'tool_calls', 'turn_content', 'turns']) {
    const sql = db.one('SELECT sql FROM sqlite_schema WHERE name = ?', table)?.['sql'];
    assert.ok(typeof sql === 'string');
    assert.doesNotMatch(sql, /WITHOUT ROWID/);
  }
  db.close();
});

function many(count: number): InputItem[] {
  return Array.from({ length: count }, (_, at) => {
    const content = [{ type: 'input_text', text: 'a' }] as const;
    return { id: `msg_${at}`, type: 'message', status: 'completed', role: 'user', content };
  });
}

test('T14 · a list of turns ends where no older one is asked for, and skips those of others', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  const day = 86_400_000;
  for (const [id, createdAtMs] of [
    ['resp_first', 1],
    ['resp_old', 2],
    ['resp_early', 9 * day],
    ['resp_new', 9 * day + 1],
  ] as const) {
    await ended(store, id, { createdAtMs });
  }
  // So many turns of other tenants lie between them.
  const others = new DatabaseSync(database.path);
  for (const id of ['resp_old', 'resp_early', 'resp_new']) others.exec(`UPDATE turns SET ordinal = ordinal * 1000000 WHERE id = '${id}'`);
  others.close();
  const looks = [t.mock.method(StatementSync.prototype, 'all'), t.mock.method(StatementSync.prototype, 'get')];
  const listed = async (sinceMs?: number): Promise<unknown> => {
    for (const { mock } of looks) mock.resetCalls();
    const found = await store.listTurns('default', { filter: { sinceMs }, limit: 9 });
    return { ids: found?.map(({ publicId }) => publicId), looks: looks.reduce((sum, { mock }) => sum + mock.callCount(), 0) };
  };
  // The newest ordinal; a look for the next turn and one at a stretch for each that is asked for; the next one is too old.
  assert.deepEqual(await listed(9 * day), { ids: ['resp_new', 'resp_early'], looks: 6 });
  assert.deepEqual(await listed(), { ids: ['resp_new', 'resp_early', 'resp_old', 'resp_first'], looks: 10 });
});
