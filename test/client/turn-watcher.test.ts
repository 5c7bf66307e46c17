import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { journalRowOf } from '../../src/domain/response-event.ts';
import { ResponseStream } from '../../src/domain/response-stream.ts';
import { startTurnWatcher } from '../../src/client/turn-watcher.ts';
import { type Store, StoreBusyError } from '../../src/store/ports/store.ts';
import { claimed, expiredLease, inserted, newTurn } from '../store/contract.ts';
import { MemoryDatabase } from '../store/memory/database.ts';
import { openMemoryStore } from '../store/memory/open-store.ts';

/** A turn that had started when its process died. */
async function lostTurn(lease = expiredLease): Promise<Store> {
  const store = openMemoryStore(new MemoryDatabase());
  await inserted(store, newTurn('resp_a'));
  const { epoch, attempt, events } = await claimed(store, 'resp_a', { lease });
  const rows = ResponseStream.replay(events).write({ type: 'text', text: 'Hel' }).map(journalRowOf);
  await store.append({ turn: 'resp_a', epoch, rows, starts: { turn: 'resp_a', step: 1, attempt } });
  return store;
}

/** Looks so many times, half a second apart. */
async function look(t: TestContext, times: number): Promise<void> {
  for (let left = times; left > 0; left -= 1) {
    t.mock.timers.tick(500);
    for (let turns = 100; turns > 0; turns -= 1) await nextTurnOfTheLoop();
  }
}

async function errorCode(store: Store): Promise<string | null | undefined> {
  return (await store.readTurn('resp_a'))?.errorCode;
}

for (const call of ['fence', 'seal'] as const) {
  test(`T6 · a database that is busy just when a lost turn is to have its end (${call}) is asked again, and is no error`, async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
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
    await look(t, 3);
    assert.deepEqual([asked, await errorCode(store)], [1, null]);
    await look(t, 2);
    assert.deepEqual([await errorCode(store), errors], ['worker_lost', []]);
  });
}

test('T9 · a process that wakes while the list of the lost is worked off keeps its streams', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
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
  await look(t, 5);
  assert.deepEqual([lists, await errorCode(store), errors], [5, null, []]);
});

test('T9 · behind a step of the clock, as after a sleep, one beat that comes to nothing takes no stream away', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const lease = { ...expiredLease, lengthMs: 60_000 };
  const store = await lostTurn(lease);
  const errors: unknown[] = [];
  const watcher = startTurnWatcher({ store, onReady() {}, onError: (error) => errors.push(error) });
  t.after(() => watcher.stop());
  await look(t, 2);
  const now = Date.now.bind(Date);
  t.mock.method(Date, 'now', () => now() + 61_000);
  // The beat between these two is refused, by a database to which everybody comes at once.
  await look(t, 2);
  assert.equal(await errorCode(store), null);
  await store.beat({ lease, turns: ['resp_a'] });
  await look(t, 4);
  assert.deepEqual([await errorCode(store), errors], [null, []]);
});
