/** Works of one key, one after the other: in their order, as long as they have patience, and no more than may wait. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedQueue } from '../../../src/store/postgres/keyed-queue.ts';
import { StoreBusyError } from '../../../src/store/ports/store.ts';

test('T14 · works of a key follow each other in their order, also behind one that fails; others wait for nobody', async () => {
  const queue = new KeyedQueue({ patienceMs: 60_000, maxWaiting: 10 });
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const done: string[] = [];
  const add = (name: string, key?: string) =>
    queue.run(key, async () => {
      if (name === 'a1') await gate;
      done.push(name);
      if (name === 'a2') throw new Error('a2 fails');
    });
  const all = ['a1', 'a2', 'a3', 'a4'].map((name) => add(name, 'a'));
  await add('b1', 'b');
  await add('none');
  open();
  const ends = await Promise.allSettled(all);
  assert.deepEqual(done, ['b1', 'none', 'a1', 'a2', 'a3', 'a4']);
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
});

test('T14 · whoever waits too long is busy and never begun, and those behind it keep their places', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const queue = new KeyedQueue({ patienceMs: 5_000, maxWaiting: 10 });
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const done: string[] = [];
  const add = (name: string) =>
    queue.run('a', async () => {
      if (name === 'first') await gate;
      done.push(name);
    });
  const first = add('first');
  const impatient = ['second', 'third'].map((name) => assert.rejects(add(name), StoreBusyError));
  await Promise.resolve();
  t.mock.timers.tick(4_000);
  const later = add('later');
  await Promise.resolve();
  t.mock.timers.tick(1_000);
  await Promise.all(impatient);
  open();
  await Promise.all([first, later]);
  assert.deepEqual(done, ['first', 'later']);
  await add('last');
  assert.equal(done.at(-1), 'last');
});

test('T14 · one more than may wait is busy at once, and another key has room', async () => {
  const queue = new KeyedQueue({ patienceMs: 60_000, maxWaiting: 2 });
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const all = [1, 2, 3].map(() => queue.run('a', () => gate));
  await assert.rejects(
    queue.run('a', () => gate),
    StoreBusyError,
  );
  const other = queue.run('b', () => gate);
  open();
  await Promise.all([...all, other]);
});
