/** What every driver of the store must do: following a journal, however writers, joins and pauses fall (T7, T12). */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JournalRow } from '../../src/domain/response/response-event.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { Journal } from '../support/journal.ts';
import { type Contract, newTurn } from './contract.ts';

export const never = new AbortController().signal;
export const theirTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function collect(rows: AsyncIterable<readonly JournalRow[]>): Promise<JournalRow[]> {
  const seen: JournalRow[] = [];
  for await (const batch of rows) seen.push(...batch);
  return seen;
}

/** A follower that pulls when the test says so, and keeps what came. */
export class Puller {
  readonly after: number;
  readonly seen: JournalRow[] = [];
  hasEnded = false;
  readonly #rows: AsyncIterator<readonly JournalRow[]>;
  readonly #leave = new AbortController();
  #pulling: Promise<void> | undefined;

  constructor(store: Pick<Store, 'follow'>, turn: string, after: number) {
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

  get hasLeft(): boolean {
    return this.#leave.signal.aborted;
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

export function followContract(contract: Contract): void {
  contract(
    'T7 · however writers, joins, pauses and departures interleave, each sees the journal from its point on, once and in order',
    async (store, database) => {
      const stores = [store, database.open(), database.open()];
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(act, { maxLength: 80 }), index, async (acts, sealer) => {
          const journal = await Journal.open(store, newTurn(`resp_${(runs += 1)}`));
          const followers: Puller[] = [];
          for (const each of acts) {
            if (each.act === 'append') await journal.append(stores[each.writer]!, each.count);
            else if (each.act === 'breathe') await theirTurn();
            else if (each.act === 'join') {
              const joined = new Puller(stores[each.reader]!, journal.turn, each.after);
              followers.push(joined);
              if (each.pulls) joined.pull();
            } else if (each.act === 'pull') followers[each.follower]?.pull();
            else followers[each.follower]?.leave();
          }
          await journal.seal(stores[sealer]!);
          await Promise.all(followers.map((follower) => follower.readToEnd()));
          for (const { seen, after, hasLeft } of followers) {
            const due = journal.rows.slice(after + 1);
            assert.deepEqual(seen, hasLeft ? due.slice(0, seen.length) : due);
          }
        }),
        { numRuns: 60 },
      );
    },
  );

  contract('those who have come as far get the very same rows, read or written once', async (here, database) => {
    const there = database.open();
    const journal = await Journal.open(here, newTurn('resp_a'));
    const following = Array.from({ length: 3 }, () => here.follow('resp_a', 0, never)[Symbol.asyncIterator]());
    for (const each of following) await each.next();
    for (const writer of [here, there]) {
      const next = following.map((each) => each.next());
      await journal.append(writer, 3);
      const batches = (await Promise.all(next)).map(({ value }) => value as readonly JournalRow[]);
      assert.deepEqual(batches[0], journal.rows.slice(-3));
      assert.ok(batches.every((batch) => batch === batches[0]));
    }
  });

  contract('T7 · a row of another process that this one has not seen yet comes before its own', async (here, database) => {
    const there = database.open();
    const journal = await Journal.open(here, newTurn('resp_a'));
    const following = collect(here.follow('resp_a', -1, never));
    await theirTurn();
    await journal.append(there, 2);
    await journal.append(here, 2);
    await journal.append(there, 1);
    await journal.seal(here);
    assert.deepEqual(await following, journal.rows);
  });

  contract('T7 · who comes at the moment of the seal sees the end', async (here, database) => {
    const there = database.open();
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

  contract('who waits for the end alone gets it, and no row before it', async (here, database) => {
    const there = database.open();
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

  contract('T12 · a batch is small enough to be held for a slow viewer: the row that fills it is its last', async (store) => {
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

  contract('a journal that is not there is gone, not at its end', async (store) => {
    await assert.rejects(collect(store.follow('resp_nobody', -1, never)), { name: 'JournalGoneError' });
    await assert.rejects(store.untilSealed('resp_nobody', never), { name: 'JournalGoneError' });
  });

  contract('who waits for the end may leave before it, and who comes after it need not wait', async (store) => {
    const journal = await Journal.open(store, newTurn('resp_a'));
    const leave = new AbortController();
    const left = store.untilSealed('resp_a', leave.signal);
    await theirTurn();
    leave.abort();
    assert.equal(await left, false);
    assert.equal(await store.untilSealed('resp_a', leave.signal), false);
    await journal.seal(store);
    assert.equal(await store.untilSealed('resp_a', never), true);
  });

  contract('a store that is closed fails those who follow, for it is not the end', async (store) => {
    await Journal.open(store, newTurn('resp_a'));
    const following = [collect(store.follow('resp_a', 1, never)), store.untilSealed('resp_a', never)];
    const ends = following.map((each) => assert.rejects(each, /the store was closed/));
    await store.close();
    await Promise.all(ends);
  });
}
