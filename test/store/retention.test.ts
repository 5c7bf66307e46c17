/** What is dropped goes in slices, each turn is looked at once, and what a killed process has begun is finished (T14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { RetentionCursor, Store } from '../../src/store/ports/store.ts';
import { run } from '../../src/store/sql/work.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { Journal } from '../support/journal.ts';
import { watchCommits } from './commits.ts';
import { ended, inserted, newTurn } from './contract.ts';
import { temporaryDatabase } from './temporary.ts';

/** Rows of a slice, and what belongs to the turns that it ends with. */
const mostRows = 320;

async function longTurn(store: Store, id: string, rows: number, fields: Parameters<typeof newTurn>[1] = {}): Promise<void> {
  const journal = await Journal.open(store, newTurn(id, fields));
  await journal.append(store, rows);
  await journal.seal(store);
}

/** The time that nothing has been written after. */
async function now(): Promise<number> {
  const cut = Date.now() + 1;
  while (Date.now() <= cut) await nextTurnOfTheLoop();
  return cut;
}

async function expireAll(store: Store, beforeMs: number): Promise<number> {
  let slices = 0;
  let from: RetentionCursor | undefined;
  do {
    from = await store.expire({ beforeMs, atMs: beforeMs }, from);
    slices += 1;
  } while (from !== undefined);
  return slices;
}

test('T14 · long journals are dropped 300 rows a commit, whoever drops them', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  const settings = { ...newTurn('resp_u').settings, store: false };
  await longTurn(store, 'resp_a', 2_000);
  await longTurn(store, 'resp_b', 2_000);
  await longTurn(store, 'resp_u', 2_000, { settings });
  const cut = await now();
  const sizes = watchCommits(t);
  const slicesOf = async (work: () => Promise<unknown>): Promise<number> => {
    const before = sizes.length;
    await work();
    return sizes.length - before;
  };
  const slices = [
    await slicesOf(() => store.deleteTurn('default', 'resp_a', 9)),
    await slicesOf(async () => {
      while ((await store.purgeUnstored({ acknowledgedBeforeMs: 0, settledBeforeMs: cut })) > 0);
    }),
    await slicesOf(() => expireAll(store, cut)),
  ];
  assert.ok(Math.min(...slices) >= 7, String(slices));
  assert.ok(Math.max(...sizes) <= mostRows, String(sizes));
  const db = new Database(database.path);
  assert.deepEqual(db.all(`SELECT turn FROM journal WHERE turn <> ''`), []);
  assert.deepEqual(db.all('SELECT turn FROM journal_head'), []);
  db.close();
});

test('a pass of many slices looks at each turn that is kept once', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  for (let at = 0; at < 200; at += 1) await ended(store, `resp_${at}`, { session: 'conv_a' });
  await inserted(store, newTurn('resp_new', { session: 'conv_a' }));
  const cut = await now();
  await expireAll(store, cut);
  const looks = t.mock.method(Database.prototype, 'one');
  const slices = await expireAll(store, cut);
  const asked = looks.mock.calls.filter(({ arguments: [sql] }) => sql.includes('FROM sessions WHERE leaf'));
  assert.deepEqual([slices, asked.length], [3, 200], 'sessions, turns, stubs');
});

test('a turn that the database fails with stops nothing: it is named, those around it are dropped, and it is tried again', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const ids = Array.from({ length: 9 }, (_, at) => `resp_${at}`);
  for (const id of ids) await ended(store, id);
  const db = new Database(database.path);
  const broken = ['resp_2', 'resp_3', 'resp_8'];
  for (const id of broken) {
    await db.commit('quick', () =>
      run(`CREATE TRIGGER ${id} BEFORE DELETE ON journal WHEN old.turn = '${id}' BEGIN SELECT RAISE(ABORT, 'damaged'); END`),
    );
  }
  const cut = await now();
  const expire = async (): Promise<string[]> => {
    const failed: string[] = [];
    let from: RetentionCursor | undefined;
    do {
      from = await store.expire({ beforeMs: cut, atMs: cut }, from);
      if (from?.failed !== undefined) failed.push(`${from.failed.turn} ${String(from.failed.error)}`);
    } while (from !== undefined);
    return failed;
  };
  assert.deepEqual(
    await expire(),
    ['resp_8', 'resp_3', 'resp_2'].map((id) => `${id} Error: damaged`),
  );
  const erased = async () => Promise.all(ids.map(async (id) => (await store.readTurn(id))?.erasedBy ?? null));
  assert.deepEqual(
    await erased(),
    ids.map((id) => (broken.includes(id) ? null : 'retention')),
  );
  for (const id of broken) await db.commit('quick', () => run(`DROP TRIGGER ${id}`));
  assert.deepEqual(await expire(), []);
  assert.deepEqual(
    await erased(),
    ids.map(() => 'retention'),
  );
  db.close();
});

test('a response that cannot be read goes with its journal, and stops neither the list of the sessions nor retention', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  for (const id of ['resp_a', 'resp_b']) await ended(store, id, { session: 'conv_a' });
  await inserted(store, newTurn('resp_c', { session: 'conv_a' }));
  const db = new Database(database.path);
  const damage = (sql: string) => db.commit('quick', () => run(sql));
  await damage(`UPDATE journal SET data = '{' WHERE turn = 'resp_a'`);
  await damage(`UPDATE items SET item = '{' WHERE turn = 'resp_a'`);
  assert.equal((await store.listSessions('default', { limit: 9, order: 'asc' }))?.[0]?.firstWords, '');
  await expireAll(store, await now());
  assert.deepEqual([await store.readHead('resp_a'), await store.readHead('resp_b')], [undefined, undefined]);
  assert.deepEqual([await store.readResponse('resp_a'), (await store.readResponse('resp_b'))?.id], [undefined, 'resp_b']);
  db.close();
});

test('what a killed process has begun to erase is hidden, and the next purge finishes it', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  await longTurn(store, 'resp_a', 700);
  const db = new Database(database.path);
  // As far as the first commit of a deletion comes.
  await db.commit('quick', function* () {
    yield* run(`UPDATE turns SET erased_by = 'owner' WHERE id = 'resp_a'`);
    yield* run(`UPDATE journal_head SET sealed = 2 WHERE turn = 'resp_a'`);
  });
  assert.deepEqual([await store.findTurn('default', 'resp_a'), await store.readHead('resp_a')], [undefined, undefined]);
  while ((await store.purgeUnstored({ acknowledgedBeforeMs: 0, settledBeforeMs: 0 })) > 0);
  assert.equal(db.one(`SELECT 1 FROM journal WHERE turn = 'resp_a'`), undefined);
  assert.notEqual(db.one('SELECT erased_at FROM turns')?.['erased_at'], null);
  db.close();
});

test('the newest row of all journals may be dropped: what is written then is noticed all the same', async () => {
  await using database = temporaryDatabase();
  const [here, there] = [database.open(), database.open()];
  const followed = await Journal.open(there, newTurn('resp_a'));
  await longTurn(there, 'resp_b', 100);
  const follower = here.follow('resp_a', followed.rows.length - 1, AbortSignal.timeout(20_000))[Symbol.asyncIterator]();
  const next = follower.next();
  await nextTurnOfTheLoop();
  await there.deleteTurn('default', 'resp_b', 9);
  const db = new Database(database.path);
  const newest = () => Number(db.one('SELECT max(ordinal) AS newest FROM journal')?.['newest']);
  const before = newest();
  await followed.append(there, 1);
  assert.ok(newest() > before && before > 100, 'no number is given twice');
  assert.deepEqual((await next).value, followed.rows.slice(-1));
  db.close();
});

test('the ends that a thousand viewers have got are booked in one commit', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  for (const id of ['resp_a', 'resp_b']) await ended(store, id);
  await inserted(store, newTurn('resp_c'));
  const sizes = watchCommits(t);
  await Promise.all(Array.from({ length: 1_000 }, (_, at) => store.acknowledge(['resp_a', 'resp_b', 'resp_c'][at % 3]!)));
  assert.deepEqual(sizes, [2], 'the third has no end yet');
  await store.acknowledge('resp_a');
  assert.deepEqual(sizes, [2], 'it is known');
});
