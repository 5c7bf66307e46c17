import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { journalRowOf } from '../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import type { LocalAttempts } from '../../src/client/local-attempts.ts';
import { startTurnWatcher } from '../../src/client/turn-watcher.ts';
import { type Store, StoreBusyError } from '../../src/store/ports/store.ts';
import { claimed, expiredLease, inserted, lease, newTurn } from '../store/contract.ts';
import { MemoryDatabase } from '../store/memory/database.ts';
import { openMemoryStore } from '../store/memory/open-store.ts';

/** A turn that had started when its process died. */
async function lostTurn(lease = expiredLease): Promise<Store> {
  const store = openMemoryStore(new MemoryDatabase());
  await inserted(store, newTurn('resp_a'));
  const { epoch, attempt, events } = await claimed(store, 'resp_a', { lease });
  const rows = ResponseStream.replay(events ?? [])
    .write({ type: 'text', text: 'Hel' })
    .map(journalRowOf);
  await store.append({ turn: 'resp_a', epoch, rows, starts: { turn: 'resp_a', step: 1, attempt } });
  return store;
}

/** The clocks of the process, by which all looks come in time: they stand still, but for `look`. */
function holdClocks(t: TestContext): { nowMs: number; steadyMs: number } {
  const clocks = { nowMs: Date.now(), steadyMs: performance.now() };
  t.mock.timers.enable({ apis: ['setInterval'] });
  t.mock.method(Date, 'now', () => clocks.nowMs);
  t.mock.method(performance, 'now', () => clocks.steadyMs);
  return clocks;
}

/** Looks so many times, half a second apart. */
async function look(t: TestContext, clocks: { nowMs: number; steadyMs: number }, times: number): Promise<void> {
  for (let left = times; left > 0; left -= 1) {
    clocks.nowMs += 500;
    clocks.steadyMs += 500;
    t.mock.timers.tick(500);
    for (let turns = 100; turns > 0; turns -= 1) await nextTurnOfTheLoop();
  }
}

async function errorCode(store: Store): Promise<string | null | undefined> {
  return (await store.readTurn('resp_a'))?.errorCode;
}

for (const call of ['fence', 'seal'] as const) {
  test(`T6 · a database that is busy just when a lost turn is to have its end (${call}) is asked again, and is no error`, async (t) => {
    const clocks = holdClocks(t);
    const store = await lostTurn();
    const errors: unknown[] = [];
    const busy = async (): Promise<never> => {
      asked += 1;
      throw new StoreBusyError('locked');
    };
    let asked = 0;
    const watched: Store = {
      ...store,
      get [call]() {
        return asked === 0 ? busy : store[call];
      },
    };
    const watcher = startTurnWatcher({ store: watched, onReady() {}, onError: (error) => errors.push(error) });
    t.after(() => watcher.stop());
    await look(t, clocks, 3);
    assert.deepEqual([asked, await errorCode(store)], [1, null]);
    await look(t, clocks, 2);
    assert.deepEqual([await errorCode(store), errors], ['worker_lost', []]);
  });
}

test('T9 · a process that wakes while the list of the lost is worked off keeps its streams', async (t) => {
  const clocks = holdClocks(t);
  const store = await lostTurn();
  const watched: Store = {
    ...store,
    listExpiredLeases: async (query) => {
      const listed = await store.listExpiredLeases(query);
      lists += 1;
      // Its first beat, when the third list has been made.
      if (lists === 3) await store.beat({ lease: { ...expiredLease, lengthMs: 60_000 }, turns: ['resp_a'] });
      return listed;
    },
  };
  let lists = 0;
  const errors: unknown[] = [];
  const watcher = startTurnWatcher({ store: watched, onReady() {}, onError: (error) => errors.push(error) });
  t.after(() => watcher.stop());
  await look(t, clocks, 5);
  assert.deepEqual([lists, await errorCode(store), errors], [5, null, []]);
});

test('T9 · behind a step of the clock, as after a sleep, one beat that comes to nothing takes no stream away', async (t) => {
  const clocks = holdClocks(t);
  const lease = { ...expiredLease, lengthMs: 60_000 };
  const store = await lostTurn(lease);
  const errors: unknown[] = [];
  const watcher = startTurnWatcher({ store, onReady() {}, onError: (error) => errors.push(error) });
  t.after(() => watcher.stop());
  await look(t, clocks, 2);
  clocks.nowMs += 61_000;
  // The beat between these two is refused, by a database to which everybody comes at once.
  await look(t, clocks, 2);
  assert.equal(await errorCode(store), null);
  await store.beat({ lease, turns: ['resp_a'] });
  await look(t, clocks, 4);
  assert.deepEqual([await errorCode(store), errors], [null, []]);
});

/** A worker that begins attempts and never ends them, with room for those of the tenants that are not named. */
function stubWorker(...crowdedTenants: readonly string[]): LocalAttempts & { readonly ran: readonly string[] } {
  const ran: string[] = [];
  return {
    lease,
    ran,
    reserve: (tenant) => (crowdedTenants.includes(tenant ?? '') ? undefined : { [Symbol.dispose]() {} }),
    run: ({ turn }) => ran.push(turn.id),
    get: () => undefined,
  };
}

/** Turns that Temporal has, and nobody asks for; behind them, at the watcher, so much time goes by. */
async function overdueTurns(
  t: TestContext,
  tenants: Readonly<Record<string, string>>,
): Promise<{ readonly store: Store; readonly clocks: { nowMs: number; steadyMs: number }; readonly waitMs: (ms: number) => void }> {
  const clocks = holdClocks(t);
  const store = openMemoryStore(new MemoryDatabase());
  for (const [id, tenant] of Object.entries(tenants)) await inserted(store, newTurn(id, { tenant, bodyHash: id }));
  await store.markDispatched(Object.keys(tenants).map((turn) => ({ turn, runId: 'run' })));
  return { store, clocks, waitMs: (ms) => (clocks.nowMs += ms) };
}

function watch(t: TestContext, store: Store, attempts: LocalAttempts, overdueMs?: number): unknown[] {
  const errors: unknown[] = [];
  const watcher = startTurnWatcher({ store, attempts, overdueMs, onReady() {}, onError: (error) => errors.push(error) });
  t.after(() => watcher.stop());
  return errors;
}

test('a request that nobody has claimed for a second is claimed and sent, once', async (t) => {
  const { store, clocks, waitMs } = await overdueTurns(t, { resp_a: 'default' });
  const worker = stubWorker();
  const errors = watch(t, store, worker);
  await look(t, clocks, 2);
  assert.deepEqual(worker.ran, [], 'it is Temporal’s yet');
  waitMs(1_001);
  await look(t, clocks, 3);
  assert.deepEqual([worker.ran, errors], [['resp_a'], []]);
});

test('a watcher that is told to leave it to Temporal for longer does', async (t) => {
  const { store, clocks, waitMs } = await overdueTurns(t, { resp_a: 'default' });
  const worker = stubWorker();
  watch(t, store, worker, 5_000);
  waitMs(3_000);
  await look(t, clocks, 2);
  assert.deepEqual(worker.ran, []);
  waitMs(2_001);
  await look(t, clocks, 2);
  assert.deepEqual(worker.ran, ['resp_a']);
});

test('T14 · a tenant whose turns have no room here keeps nobody else’s from being sent', async (t) => {
  const { store, clocks, waitMs } = await overdueTurns(t, { resp_a: 'crowded', resp_b: 'crowded', resp_c: 'quiet' });
  const worker = stubWorker('crowded');
  watch(t, store, worker);
  waitMs(1_001);
  await look(t, clocks, 2);
  assert.deepEqual(worker.ran, ['resp_c']);
});

test('an overdue turn that the configuration of the process cannot serve is left to others, unclaimed', async (t) => {
  const { store, clocks, waitMs } = await overdueTurns(t, { resp_a: 'one', resp_b: 'other' });
  const asked: unknown[] = [];
  const worker = Object.assign(stubWorker(), { canServe: (settings: unknown) => asked.push(settings) < 0 });
  const errors = watch(t, store, worker);
  waitMs(1_001);
  await look(t, clocks, 2);
  const epochs = await Promise.all(['resp_a', 'resp_b'].map(async (turn) => (await store.readHead(turn))?.epoch));
  assert.deepEqual([worker.ran, epochs, errors], [[], [0, 0], []]);
  assert.ok(asked.length > 0);
});

test('T5 · an overdue turn that is to be cancelled is, without a request and without room for one', async (t) => {
  const { store, clocks, waitMs } = await overdueTurns(t, { resp_a: 'crowded' });
  await store.requestCancel('crowded', 'resp_a', Date.now());
  const worker = stubWorker('crowded');
  const errors = watch(t, store, worker);
  waitMs(1_001);
  await look(t, clocks, 2);
  assert.deepEqual([(await store.readTurn('resp_a'))?.status, worker.ran, errors], ['cancelled', [], []]);
});

for (const type of ['started', 'exhausted'] as const) {
  test(`T2, T3 · an overdue turn that may not be asked for (${type}) gets the end that stands in its way`, async (t) => {
    const { store, clocks, waitMs } = await overdueTurns(t, { resp_a: 'default' });
    // As an older version of turnkeep may have left it.
    const watched: Store = { ...store, claim: async () => ({ type }) };
    const errors = watch(t, watched, stubWorker());
    waitMs(1_001);
    await look(t, clocks, 2);
    assert.deepEqual([await errorCode(store), errors], ['transport_failed', []], 'nothing of it was shown');
  });
}

test('leases are judged though the list of what is overdue cannot be read, and that is told', async (t) => {
  const clocks = holdClocks(t);
  const store = await lostTurn();
  const broken: Store = { ...store, listOverdue: async () => Promise.reject(new Error('broken')) };
  const errors = watch(t, broken, stubWorker());
  await look(t, clocks, 4);
  assert.equal(await errorCode(store), 'worker_lost');
  assert.match(String(errors[0]), /broken/);
});
