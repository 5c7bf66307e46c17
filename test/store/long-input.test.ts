/** Very many items, and very large ones: written and read in slices, seen by nobody before their turn is in (T14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InputItem } from '../../src/domain/item.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { turnsOfTheLoop, watchCommits } from './commits.ts';
import { ended, inserted, newTurn } from './contract.ts';
import { temporaryDatabase } from './temporary.ts';

/** A slice is 300 items at the most; the commit that takes the turn in writes some rows of its own. */
const mostRows = 330;

function messages(count: number, text = 'a'): InputItem[] {
  return Array.from({ length: count }, (_, at) => {
    const content = [{ type: 'input_text', text }] as const;
    return { id: `msg_${at}`, type: 'message', status: 'completed', role: 'user', content };
  });
}

test('T14 · a turn of 10,000 items is taken in by commits of 300, and seen by nobody before the last of them', async (t) => {
  await using database = temporaryDatabase();
  const [store, there] = [database.open(), new Database(database.path)];
  const seenBefore: unknown[] = [];
  const sizes = watchCommits(t, () => {
    const item = 'SELECT 1 FROM items JOIN turns ON turns.id = turn WHERE items.id = ?';
    seenBefore.push(there.one('SELECT id FROM turns WHERE id = ?', 'resp_a'), there.one(item, 'msg_0'));
  });
  const input = messages(10_000);
  await inserted(store, newTurn('resp_a', { input }));
  assert.ok(sizes.length > 33 && Math.max(...sizes) <= mostRows, String(sizes));
  assert.deepEqual(new Set(seenBefore), new Set([undefined]));
  t.mock.restoreAll();
  there.close();
  assert.deepEqual(await store.readInput('resp_a'), input);
  assert.deepEqual(
    (await store.readInputPage('resp_a', { limit: 2, order: 'desc', after: 'msg_9000' }))?.map(({ id }) => id),
    ['msg_8999', 'msg_8998'],
  );
});

test('T1 · the same long submission twice is one turn, and what the second had written is gone', async (t) => {
  await using database = temporaryDatabase();
  const stores = [database.open(), database.open()];
  const results = await Promise.all(
    stores.map((store, at) => store.insertTurn(newTurn(`resp_${at}`, { input: messages(2_000), idempotencyKey: 'key' }))),
  );
  assert.deepEqual(results.map(({ type }) => type).toSorted(), ['inserted', 'joined']);
  const sizes = watchCommits(t);
  const again = await stores[0]!.insertTurn(newTurn('resp_2', { input: messages(2_000), idempotencyKey: 'key' }));
  assert.equal(again.type, 'joined');
  assert.deepEqual(sizes, [0], 'what is refused anyway is not written first');
  const db = new Database(database.path);
  const items = { ...db.one('SELECT count(*) AS items, count(DISTINCT turn) AS turns FROM items') };
  assert.deepEqual(items, { items: 2_000, turns: 1 });
  assert.equal(db.one('SELECT 1 FROM staged'), undefined);
  db.close();
});

test('what a killed process has written of a long input is dropped', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  const commit = t.mock.method(Database.prototype, 'commit');
  commit.mock.mockImplementationOnce(() => Promise.reject(new Error('killed')), 3);
  await assert.rejects(store.insertTurn(newTurn('resp_a', { input: messages(2_000) })), /killed/);
  commit.mock.restore();
  const db = new Database(database.path);
  const rows = () => ({ ...db.one('SELECT (SELECT count(*) FROM items) AS items, (SELECT count(*) FROM staged) AS staged') });
  assert.deepEqual(rows(), { items: 600, staged: 1 });
  assert.equal(await store.purgeUnstored({ acknowledgedBeforeMs: 0, settledBeforeMs: Date.now() - 60_000 }), 0, 'it may still be at it');
  while ((await store.purgeUnstored({ acknowledgedBeforeMs: 0, settledBeforeMs: Date.now() + 1 })) > 0);
  assert.deepEqual(rows(), { items: 0, staged: 0 });
  db.close();
});

test('T14 · a past of many items, and one of large ones, is read with the event loop free in between', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  await ended(store, 'resp_a', { input: messages(10_000) });
  await ended(store, 'resp_b', { previous: 'resp_a', input: messages(20, 'x'.repeat(300_000)) });
  await inserted(store, newTurn('resp_c', { previous: 'resp_b' }));
  const past = await store.readTranscript('resp_c');
  assert.deepEqual(
    past.map(({ items }) => items.length),
    [10_000, 20],
  );
  // 300 items a slice, or as many as a quarter of a megabyte: one of the large ones.
  assert.ok((await turnsOfTheLoop(() => store.readTranscript('resp_c'))) >= 33 + 19);
  assert.ok((await turnsOfTheLoop(() => store.readInput('resp_b'))) >= 19);
});

test('a page of a long turn is read from where it begins, not from the beginning of the turn', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  const session = await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  await inserted(store, newTurn('resp_a', { session: session.id, input: messages(5_000) }));
  const db = new Database(database.path);
  const scans = t.mock.method(Database.prototype, 'scan');
  const here = { ...session, leaf: 'resp_a' };
  for (const [order, ids] of [
    ['asc', ['msg_4001', 'msg_4002']],
    ['desc', ['msg_3999', 'msg_3998']],
  ] as const) {
    const page = await store.readSessionItems(here, { limit: 2, order, after: 'msg_4000' });
    assert.deepEqual(
      page?.map(({ id }) => id),
      ids,
    );
  }
  for (const { arguments: args } of scans.mock.calls) assert.deepEqual(args[1].slice(2), [4_000, 2], args[0]);
  db.close();
});
