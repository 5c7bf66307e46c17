/** Those who follow a journal, however the writers, the joins and the pauses fall (T7, T12). */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JournalRow } from '../../src/domain/response-event.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { dataVersionSignal } from '../../src/store/sqlite/data-version.ts';
import { readHead, readRows } from '../../src/store/sqlite/journal.ts';
import type { JournalSource } from '../../src/store/live/source.ts';
import { JournalCursor } from '../../src/store/live/cursor.ts';
import { JournalBroker } from '../../src/store/live/broker.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { Journal } from '../support/journal.ts';
import { newTurn } from './contract.ts';
import { temporaryDatabase } from './temporary.ts';

const never = new AbortController().signal;
const theirTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function collect(rows: AsyncIterable<readonly JournalRow[]>): Promise<JournalRow[]> {
  const seen: JournalRow[] = [];
  for await (const batch of rows) seen.push(...batch);
  return seen;
}

/** As retention or a DELETE in another process would. */
function drop(path: string, ...what: readonly ('journal' | 'journal_head' | 'journal WHERE seq < 300')[]): void {
  const db = new DatabaseSync(path);
  for (const each of what) db.exec(`DELETE FROM ${each}`);
  db.close();
}

/** One who pulls when told to, and keeps what came. */
class Puller {
  readonly after: number;
  readonly seen: JournalRow[] = [];
  hasEnded = false;
  readonly #rows: AsyncIterator<readonly JournalRow[]>;
  readonly #leave = new AbortController();
  #pulling: Promise<void> | undefined;

  constructor(store: Store, turn: string, after: number) {
    this.after = after;
    this.#rows = store.follow(turn, after, this.#leave.signal)[Symbol.asyncIterator]();
  }

  /** Asks for the next batch, unless it has asked and not been answered. */
  pull(): void {
    this.#pulling ??= this.#rows.next().then(({ done, value }) => {
      this.#pulling = undefined;
      this.hasEnded = done === true;
      if (done !== true) this.seen.push(...value);
    });
  }

  leave(): void {
    this.#leave.abort();
  }

  async readToEnd(): Promise<void> {
    while (!this.hasEnded) {
      this.pull();
      await this.#pulling;
    }
  }
}

type Act =
  | { readonly act: 'append'; readonly writer: number; readonly count: number }
  | { readonly act: 'join'; readonly reader: number; readonly after: number; readonly pulls: boolean }
  | { readonly act: 'pull' | 'leave'; readonly follower: number }
  | { readonly act: 'breathe' };

const index = fc.nat({ max: 2 });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ act: fc.constant('append' as const), writer: index, count: fc.integer({ min: 1, max: 40 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('join' as const),
      reader: index,
      after: fc.integer({ min: -1, max: 90 }),
      pulls: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ act: fc.constant('pull' as const), follower: fc.nat({ max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('leave' as const), follower: fc.nat({ max: 9 }) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('breathe' as const) }) },
);

test('T7 · however writers, joins, pauses and departures interleave, each sees the journal from its point on, once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 80 }), index, async (acts, sealer) => {
      await using database = temporaryDatabase();
      const stores = [database.open(), database.open(), database.open()];
      const journal = await Journal.open(stores[0]!, newTurn('resp_a'));
      const followers: Puller[] = [];
      for (const each of acts) {
        if (each.act === 'append') await journal.append(stores[each.writer]!, each.count);
        else if (each.act === 'breathe') await theirTurn();
        else if (each.act === 'join') {
          const joined = new Puller(stores[each.reader]!, 'resp_a', each.after);
          followers.push(joined);
          if (each.pulls) joined.pull();
        } else if (each.act === 'pull') followers[each.follower]?.pull();
        else followers[each.follower]?.leave();
      }
      await journal.seal(stores[sealer]!);
      await Promise.all(followers.map((follower) => follower.readToEnd()));
      for (const { seen, after } of followers) {
        const due = journal.rows.slice(after + 1);
        assert.deepEqual(seen, due.slice(0, seen.length));
      }
      const stayed = followers.filter((_, at) => !acts.some((each) => each.act === 'leave' && each.follower === at));
      for (const { seen, after } of stayed) assert.equal(seen.length, journal.rows.slice(after + 1).length);
    }),
    { numRuns: 60 },
  );
});

test('those who have come as far get the very same rows, read or written once', async () => {
  await using database = temporaryDatabase();
  const [here, there] = [database.open(), database.open()];
  const journal = await Journal.open(here, newTurn('resp_a'));
  const following = Array.from({ length: 3 }, () => here.follow('resp_a', 1, never)[Symbol.asyncIterator]());
  for (const writer of [here, there]) {
    const next = following.map((each) => each.next());
    await journal.append(writer, 3);
    const batches = (await Promise.all(next)).map(({ value }) => value as readonly JournalRow[]);
    assert.deepEqual(batches[0], journal.rows.slice(-3));
    assert.ok(batches.every((batch) => batch === batches[0]));
  }
});

test('T7 · a row of another process that this one has not seen yet comes before its own', async () => {
  await using database = temporaryDatabase();
  const [here, there] = [database.open(), database.open()];
  const journal = await Journal.open(here, newTurn('resp_a'));
  const following = collect(here.follow('resp_a', -1, never));
  await theirTurn();
  await journal.append(there, 2);
  await journal.append(here, 2);
  await journal.append(there, 1);
  await journal.seal(here);
  assert.deepEqual(await following, journal.rows);
});

test('T7 · who comes at the moment of the seal sees the end', async () => {
  await using database = temporaryDatabase();
  const [here, there] = [database.open(), database.open()];
  const journal = await Journal.open(here, newTurn('resp_a'));
  const starts = [-1, 1, 2, 400];
  const come = (): Promise<JournalRow[]>[] =>
    [here, there].flatMap((store) => starts.map((after) => collect(store.follow('resp_a', after, never))));
  const before = come();
  const sealing = journal.seal(here);
  const within = come();
  await sealing;
  const due = starts.map((after) => journal.rows.slice(after + 1));
  for (const crowd of [before, within, come()]) assert.deepEqual(await Promise.all(crowd), [...due, ...due]);
});

test('who waits for the end alone gets it, and no row before it', async () => {
  await using database = temporaryDatabase();
  const [here, there] = [database.open(), database.open()];
  const journal = await Journal.open(here, newTurn('resp_a'));
  const ends = [here, there].map((store) => store.untilSealed('resp_a', never));
  for (let at = 0; at < 20; at += 1) {
    await journal.append(here, 1);
    await theirTurn();
  }
  assert.equal(await Promise.race([Promise.all(ends), theirTurn()]), undefined, 'not before the seal');
  await journal.seal(here);
  assert.deepEqual(await Promise.all(ends), [true, true]);
});

test('T12 · a batch is small enough to be held for a slow viewer: the row that fills it is its last', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const journal = await Journal.open(store, newTurn('resp_a'));
  await journal.append(store, 2_000);
  await journal.append(store, 40, 10_000);
  await journal.append(store, 2, 1_000_000);
  await journal.seal(store);
  const batches: (readonly JournalRow[])[] = [];
  for await (const batch of store.follow('resp_a', -1, never)) batches.push(batch);
  assert.deepEqual(batches.flat(), journal.rows);
  for (const batch of batches) {
    const charsBeforeLast = batch.slice(0, -1).reduce((sum, { data }) => sum + data.length, 0);
    assert.ok(batch.length <= 256 && charsBeforeLast < 65_536, `${batch.length} rows, ${charsBeforeLast} characters before the last`);
  }
});

test('a journal that is not there is gone, not at its end', async () => {
  await using database = temporaryDatabase();
  await assert.rejects(collect(database.open().follow('resp_nobody', -1, never)), { name: 'JournalGoneError' });
});

for (const after of [1, Number.MAX_SAFE_INTEGER]) {
  test(`a journal that goes away fails those who wait for more, from ${after}`, async () => {
    await using database = temporaryDatabase();
    const [here, there] = [database.open(), database.open()];
    const journal = await Journal.open(here, newTurn('resp_a'));
    const following = [here, there].map((store) => collect(store.follow('resp_a', after, never)));
    await theirTurn();
    drop(database.path, 'journal', 'journal_head');
    for (const each of following)
      await assert.rejects(each, { name: 'JournalGoneError', message: `the journal of ${journal.turn} is gone` });
  });
}

for (const what of ['journal', 'journal WHERE seq < 300'] as const) {
  test(`rows that are missing are no end (${what}): who still needs them fails, who had them ends`, async () => {
    await using database = temporaryDatabase();
    const store = database.open();
    const journal = await Journal.open(store, newTurn('resp_a'));
    await journal.append(store, 600);
    const [slow, quick] = [-1, 601].map((after) => new Puller(store, 'resp_a', after));
    slow!.pull();
    quick!.pull();
    await theirTurn();
    await journal.seal(store);
    drop(database.path, what);
    await assert.rejects(slow!.readToEnd(), { name: 'JournalGoneError' });
    await quick!.readToEnd();
    assert.deepEqual(quick!.seen, journal.rows.slice(602));
    await assert.rejects(collect(store.follow('resp_a', 5, never)), { name: 'JournalGoneError' });
    assert.deepEqual(await collect(store.follow('resp_a', journal.rows.length - 1, never)), []);
  });
}

test('what this process itself drops, and tells nobody, is noticed too', async () => {
  await using database = temporaryDatabase();
  const there = database.open();
  const journal = await Journal.open(there, newTurn('resp_a'));
  const db = new Database(database.path);
  const source: JournalSource = {
    readHead: async (turn) => readHead(db, turn),
    readRows: async (turn, after, limits) => readRows(db, turn, after, limits),
  };
  const broker = new JournalBroker(source, dataVersionSignal(db));
  const following = new JournalCursor(broker, 'resp_a', 1, never);
  // A row of another process has been found: what comes next must be found without any such sign.
  const next = following.next();
  await journal.append(there, 1);
  assert.deepEqual((await next).value, journal.rows.slice(2));
  const after = following.next();
  db.commit('quick', () => db.run('DELETE FROM journal_head'));
  await assert.rejects(after, { name: 'JournalGoneError' });
  broker.close();
  db.close();
});

test('a store that is closed fails those who follow, for it is not the end', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  await Journal.open(store, newTurn('resp_a'));
  const following = collect(store.follow('resp_a', 1, never));
  const [, ended] = [await store.close(), following];
  await assert.rejects(ended, /the store was closed/);
});
