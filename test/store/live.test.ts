/** The live tail over a source whose reads are held by hand: what is read and what is pushed meet in every order (T7, T12). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JournalBroker } from '../../src/store/live/broker.ts';
import { JournalCursor } from '../../src/store/live/cursor.ts';
import { type Store, StoreBusyError } from '../../src/store/ports/store.ts';
import { never, Puller, theirTurn } from './contract-follow.ts';
import { Gate, HeldDatabase, type Rows } from './held-database.ts';

interface Live {
  readonly database: HeldDatabase;
  readonly broker: JournalBroker;
  readonly follow: (after?: number, signal?: AbortSignal) => JournalCursor;
}

/** A journal of two rows, and nobody who follows it yet. */
function open(crowd?: number): Live {
  const database = new HeldDatabase();
  database.commit(2);
  const broker = new JournalBroker(database, database, crowd);
  return { database, broker, follow: (after = -1, signal = never) => new JournalCursor(broker, 'resp_a', after, signal) };
}

/** Reads all there is; `next` is then waiting for more. In an object, since a promise of a promise is one. */
async function upToDate(cursor: JournalCursor, database: HeldDatabase): Promise<{ readonly next: Promise<IteratorResult<Rows>> }> {
  const last = database.rows.length - 1;
  for (let next = cursor.next(); ; next = cursor.next()) {
    // Where a test ends before it, it is cut off.
    next.catch(() => undefined);
    if (cursor.taken === last) return { next };
    await next;
  }
}

function seqs({ value }: IteratorResult<Rows>): number[] {
  return ((value ?? []) as Rows).map(({ seq }) => seq);
}

/** Whatever is under way arrives, one after the other in some order, until `work` is done. */
async function letArrive<T>(scheduler: fc.Scheduler, work: Promise<T>): Promise<T> {
  const state = { isDone: false };
  const done = work.finally(() => {
    state.isDone = true;
  });
  while (!state.isDone) await (scheduler.count() > 0 ? scheduler.waitOne() : theirTurn());
  return done;
}

for (const crowd of [undefined, 1, 3]) {
  const whose = crowd === undefined ? 'each' : `each of a crowd of ${crowd}`;
  test(`T7 · however reads, announcements and signals overtake each other, ${whose} sees the journal once and in order`, () =>
    overtake(crowd));
}

async function overtake(crowd: number | undefined): Promise<void> {
  type Act =
    | { readonly act: 'write'; readonly count: number; readonly isForeign: boolean; readonly isSlow: boolean }
    | { readonly act: 'join'; readonly after: number }
    | { readonly act: 'leave' | 'pull'; readonly follower: number }
    | { readonly act: 'trip' };
  const act: fc.Arbitrary<Act> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        act: fc.constant('write' as const),
        count: fc.integer({ min: 1, max: 5 }),
        isForeign: fc.boolean(),
        isSlow: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('join' as const), after: fc.integer({ min: -1, max: 20 }) }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constantFrom('pull' as const, 'pull' as const, 'leave' as const), follower: fc.nat(5) }) },
    { weight: 8, arbitrary: fc.record({ act: fc.constant('trip' as const) }) },
  );

  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(act, { maxLength: 60 }), async (scheduler, acts) => {
      const { database, broker } = open(crowd);
      const follow: Store['follow'] = (turn, after, signal) => new JournalCursor(broker, turn, after, signal);
      database.trip = (what) => scheduler.schedule(Promise.resolve(), what);
      const viewers: Puller[] = [];
      const ends: Promise<boolean>[] = [];

      /** A commit, and after it, perhaps late, the word of it: announced by this process, signalled by another. */
      const write = (count: number, isForeign: boolean, isSlow: boolean): void => {
        const rows = database.commit(count);
        const { isSealed } = database;
        const tell = isForeign ? () => database.signal() : () => broker.announce('resp_a', rows, isSealed);
        if (isSlow) void scheduler.schedule(Promise.resolve(), 'the word of it').then(tell);
        else tell();
      };
      const join = (after: number): void => {
        const viewer = new Puller({ follow }, 'resp_a', after);
        viewer.pull();
        viewers.push(viewer);
        ends.push(broker.untilSealed('resp_a', never));
      };

      join(-1);
      for (const each of acts) {
        if (each.act === 'write') write(each.count, each.isForeign, each.isSlow);
        else if (each.act === 'join') join(each.after);
        else if (each.act === 'pull') viewers[each.follower]?.pull();
        else if (each.act === 'leave') viewers[each.follower]?.leave();
        else if (scheduler.count() > 0) await scheduler.waitOne();
      }
      database.isSealed = true;
      write(1, acts.length % 2 === 0, acts.length % 3 === 0);
      await letArrive(scheduler, Promise.all(viewers.map((viewer) => viewer.readToEnd())));
      assert.ok((await letArrive(scheduler, Promise.all(ends))).every((isSealed) => isSealed));
      for (const { after, hasLeft, seen } of viewers) {
        const due = database.rows.slice(after + 1);
        assert.deepEqual(seen, hasLeft ? due.slice(0, seen.length) : due);
      }
      assert.equal(database.watchers.size, 0, 'nobody follows');
    }),
    { numRuns: 500 },
  );
}

test('rows of this process are handed on from memory, in the same tick, without a read', async () => {
  const { database, broker, follow } = open();
  const cursors = [follow(), follow()];
  const waiting = await Promise.all(cursors.map((cursor) => upToDate(cursor, database)));
  const readsBefore = database.reads.length;
  const rows = database.commit(3);
  broker.announce('resp_a', rows, false);
  assert.equal(
    cursors.every((cursor) => cursor.taken === 1),
    true,
  );
  for (const { next } of waiting) assert.equal((await next).value, rows, 'the very array that was written');
  assert.equal(database.reads.length, readsBefore);
  broker.close();
});

test('T7 · rows that are pushed while they are read come once', async () => {
  const { database, broker, follow } = open();
  const { next } = await upToDate(follow(), database);
  const gate = new Gate();
  database.trip = gate.hold;
  database.commit(1);
  database.signal();
  await gate.release('ask for the head');
  await gate.release('bring the head');
  // Between the head and the rows that belong to it another row is written here.
  broker.announce('resp_a', database.commit(1), false);
  assert.deepEqual(gate.held, ['ask for the rows after 1'], 'what came before is not known yet: nothing can be handed on');
  await gate.release('ask for the rows after 1');
  await gate.release('bring the rows after 1');
  assert.deepEqual(seqs(await next), [2, 3]);
  broker.close();
});

test('T7 · a head that is older than what was pushed since takes nothing back', async () => {
  const { database, broker, follow } = open();
  const idle = follow();
  await idle.next();
  const { next } = await upToDate(follow(), database);
  const gate = new Gate();
  database.trip = gate.hold;
  database.signal();
  await gate.release('ask for the head');
  broker.announce('resp_a', database.commit(1), true);
  assert.deepEqual(seqs(await next), [2]);
  await gate.release('bring the head');
  assert.deepEqual(seqs(await idle.next()), [2]);
  assert.equal((await idle.next()).done, true);
});

test('the end that is written between the look at the head and the rows is seen at once', async (t) => {
  // Nobody looks by himself.
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { database, broker, follow } = open();
  const cursor = follow();
  const { next } = await upToDate(cursor, database);
  const gate = new Gate();
  database.trip = gate.hold;
  database.commit(1);
  database.signal();
  await gate.release('ask for the head');
  await gate.release('bring the head');
  database.commit(1);
  database.isSealed = true;
  database.trip = () => Promise.resolve();
  await gate.release('ask for the rows after 1');
  assert.deepEqual(seqs(await next), [2, 3]);
  // The word of the last row: it is known already.
  for (const watcher of database.watchers) watcher.onChange('resp_a', 3);
  const end = await Promise.race([cursor.next(), theirTurn().then(theirTurn)]);
  assert.equal(end?.done, true);
  broker.close();
});

test('T12 · what is too much for one batch is read by each at its own pace', async () => {
  const { database, broker, follow } = open();
  const cursor = follow();
  const { next } = await upToDate(cursor, database);
  database.commit(3, 40_000);
  database.signal();
  assert.deepEqual([seqs(await next), seqs(await cursor.next())], [[2, 3], [4]]);
  assert.equal(database.reads.filter((read) => read === 'head').length, 2, 'one at the beginning, one for the signal');
  broker.close();
});

test('a look that was asked for while one was under way follows it, once', async () => {
  const { database, broker, follow } = open();
  const cursor = follow();
  const { next } = await upToDate(cursor, database);
  const gate = new Gate();
  database.trip = gate.hold;
  database.reads.length = 0;
  database.signal();
  await gate.release('ask for the head');
  // Too late for the head that is on its way.
  database.commit(1);
  database.signal();
  database.signal();
  assert.deepEqual(database.reads, ['head'], 'one look at a time');
  await gate.release('bring the head');
  for (const what of ['head', 'rows after 1']) {
    await gate.release(`ask for the ${what}`);
    await gate.release(`bring the ${what}`);
  }
  assert.deepEqual(seqs(await next), [2]);
  assert.deepEqual(database.reads, ['head', 'head', 'rows after 1']);
  assert.deepEqual(gate.held, []);
  broker.close();
});

test('who leaves while its rows are read is gone at once, and what comes then is nobody’s', async () => {
  const { database, follow } = open();
  const gate = new Gate();
  const leave = new AbortController();
  const cursor = follow(-1, leave.signal);
  await cursor.next();
  database.commit(1);
  database.trip = gate.hold;
  database.signal();
  const next = cursor.next();
  await gate.release('ask for the head');
  leave.abort();
  assert.deepEqual(await next, { done: true, value: undefined });
  assert.equal(database.watchers.size, 0);
  await gate.release('bring the head');
  assert.deepEqual(gate.held, [], 'nothing is read for nobody');

  const behind = follow(-1, AbortSignal.any([leave.signal]));
  assert.deepEqual(await behind.next(), { done: true, value: undefined });
});

test('who leaves, or is cut off, while it reads far behind the newest, is answered at once', async () => {
  for (const isCut of [false, true]) {
    const { database, broker, follow } = open();
    const gate = new Gate();
    const leave = new AbortController();
    // Keeps the journal looked at.
    const other = await upToDate(follow(), database);
    database.trip = gate.hold;
    const next = follow(-1, leave.signal).next();
    await gate.release('ask for the rows after -1');
    if (isCut) broker.close();
    else leave.abort();
    if (isCut) await Promise.all([next, other.next].map((each) => assert.rejects(each, /the store was closed/)));
    else assert.deepEqual(await next, { done: true, value: undefined });
    await gate.release('bring the rows after -1');
    assert.equal(database.watchers.size, isCut ? 0 : 1, 'the other one still follows');
  }
});

test('a database that is busy is asked again', async () => {
  const { database, broker, follow } = open();
  const { next } = await upToDate(follow(), database);
  let refusals = 2;
  database.trip = async () => {
    if ((refusals -= 1) >= 0) throw new StoreBusyError('not now');
  };
  database.commit(1);
  database.signal();
  assert.deepEqual(seqs(await next), [2]);
  broker.close();
});

/** Of so many turns, each up to date. */
function followMany({ broker }: Live, count: number): { readonly next: Promise<IteratorResult<Rows>>[]; readonly leave: () => void } {
  const leave = new AbortController();
  const cursors = Array.from({ length: count }, (_, at) => new JournalCursor(broker, `resp_${at}`, 1, leave.signal));
  return { next: cursors.map((cursor) => cursor.next()), leave: () => leave.abort() };
}

test('T14 · however many turns are followed, their heads are looked at by one question', async () => {
  const live = open();
  const { database } = live;
  const { leave } = followMany(live, 1_200);
  await theirTurn();
  assert.deepEqual(database.reads.splice(0), ['1000 heads', '200 heads'], 'a question has a bound');
  database.signal();
  await theirTurn();
  assert.deepEqual(database.reads.splice(0), ['1000 heads', '200 heads']);
  // Each of the turns that a notification names.
  for (const watcher of database.watchers) for (const turn of ['resp_1', 'resp_2', 'resp_3']) watcher.onChange(turn, 2);
  await theirTurn();
  assert.deepEqual(database.reads, ['3 heads']);
  leave();
});

test('a turn that is known to have changed is not behind all those that are looked at anyway', async () => {
  const live = open();
  const { database } = live;
  const { leave } = followMany(live, 2_100);
  await theirTurn();
  const gate = new Gate();
  database.trip = gate.hold;
  database.reads.length = 0;
  database.signal();
  await gate.release('ask for the 1000 heads');
  for (const watcher of database.watchers) watcher.onChange('resp_7', 2);
  await gate.release('bring the 1000 heads');
  database.trip = () => Promise.resolve();
  await gate.release('ask for the 1000 heads');
  await theirTurn();
  assert.deepEqual(database.reads, ['1000 heads', '1000 heads', '101 heads'], 'it is among the next');
  leave();
});

test('T14 · while the database is away, one question is asked again for all who follow, after pauses that grow to a second', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const live = open();
  const { database } = live;
  database.trip = () => Promise.reject(new StoreBusyError('not now'));
  const { next, leave } = followMany(live, 100);
  await theirTurn();
  for (const pauseMs of [20, 40, 80, 160, 320, 640, 1_000, 1_000]) {
    assert.deepEqual(database.reads.splice(0), ['100 heads']);
    database.signal();
    t.mock.timers.tick(pauseMs - 1);
    await theirTurn();
    assert.deepEqual(database.reads, []);
    t.mock.timers.tick(1);
    await theirTurn();
  }
  database.trip = () => Promise.resolve();
  const rows = database.commit(1);
  t.mock.timers.tick(1_000);
  for (const each of next) assert.deepEqual((await each).value, rows);
  leave();
});

test('T14 · rows of three turns are read at a time, however many have some, and whoever has left by then is left out', async () => {
  const live = open();
  const { database } = live;
  const { next, leave } = followMany(live, 10);
  const others = followMany(live, 20);
  await theirTurn();
  const { promise, resolve } = Promise.withResolvers<void>();
  database.trip = (what) => (what.startsWith('ask for the rows') ? promise : Promise.resolve());
  database.reads.length = 0;
  const rows = database.commit(1);
  database.signal();
  await theirTurn();
  assert.deepEqual(database.reads, ['20 heads', ...Array.from({ length: 3 }, () => 'rows after 1')]);
  others.leave();
  resolve();
  for (const each of next) assert.deepEqual((await each).value, rows);
  assert.equal(database.reads.length, 11);
  leave();
});

test('T7 · a viewer who reads the past waits for a database that is away, and leaves when it wants to', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { database, broker, follow } = open();
  const leave = new AbortController();
  const [viewer, leaver] = [follow(), follow(-1, leave.signal)];
  let isAway = true;
  database.trip = (what) => (isAway && what.includes('rows') ? Promise.reject(new StoreBusyError('not now')) : Promise.resolve());
  const [first, left] = [viewer.next(), leaver.next()];
  await theirTurn();
  for (const pauseMs of [20, 40, 80]) {
    t.mock.timers.tick(pauseMs);
    await theirTurn();
  }
  leave.abort();
  assert.equal((await left).done, true);
  assert.equal(database.reads.splice(0).filter((read) => read === 'rows after -1').length, 8, 'both have asked four times');
  isAway = false;
  t.mock.timers.tick(160);
  assert.deepEqual(seqs(await first), [0, 1]);
  assert.deepEqual(database.reads, ['rows after -1'], 'for the one that is still there');
  broker.close();
});

test('T14 · a crowd that reads the past holds up nobody who is up to date', async () => {
  const { database, broker, follow } = open();
  const { next } = await upToDate(follow(), database);
  const { promise, resolve } = Promise.withResolvers<void>();
  database.trip = (what) => (what === 'ask for the rows after -1' ? promise : Promise.resolve());
  database.reads.length = 0;
  const crowd = Array.from({ length: 9 }, () => follow().next());
  await theirTurn();
  assert.deepEqual(database.reads, ['rows after -1', 'rows after -1', 'rows after -1'], 'three at a time');
  database.commit(1);
  database.signal();
  assert.deepEqual(seqs(await next), [2]);
  resolve();
  for (const each of crowd) assert.deepEqual(seqs(await each), [0, 1, 2]);
  broker.close();
});

test('a database that cannot be read fails those who follow this journal, and whoever comes next asks anew', async () => {
  const { database, broker, follow } = open();
  const idle = follow();
  await idle.next();
  const { next } = await upToDate(follow(), database);
  const { trip } = database;
  database.trip = () => Promise.reject(new Error('disk image is malformed'));
  database.signal();
  await assert.rejects(next, /malformed/);
  database.trip = trip;
  assert.deepEqual(seqs(await follow().next()), [0, 1]);
  await assert.rejects(idle.next(), /malformed/);
  broker.close();
});

test('a signal that fails cuts off all who follow', async () => {
  const { database, broker, follow } = open();
  const { next } = await upToDate(follow(), database);
  const sealed = broker.untilSealed('resp_b', never);
  for (const watcher of database.watchers) watcher.onFailure(new Error('the connection was lost'));
  await assert.rejects(next, /the connection was lost/);
  await assert.rejects(sealed, /the connection was lost/);
});

test('for one who waits for the end alone no row is read', async () => {
  const { database, broker } = open();
  const sealed = broker.untilSealed('resp_a', never);
  await theirTurn();
  for (let at = 0; at < 10; at += 1) {
    broker.announce('resp_a', database.commit(1), false);
    database.commit(1);
    database.signal();
    await theirTurn();
  }
  database.isSealed = true;
  database.signal();
  assert.equal(await sealed, true);
  assert.deepEqual([...new Set(database.reads)], ['head']);
});

test('nothing is watched nor read while nobody follows', async () => {
  const { database, broker, follow } = open();
  broker.announce('resp_a', database.commit(1), false);
  assert.deepEqual([database.watchers.size, database.reads.length], [0, 0]);
  const leave = new AbortController();
  const next = follow(2, leave.signal).next();
  const sealed = broker.untilSealed('resp_a', leave.signal);
  await theirTurn();
  assert.deepEqual([database.watchers.size, database.reads], [1, ['head']]);
  leave.abort();
  await Promise.all([next, sealed]);
  assert.equal(database.watchers.size, 0);
});

test('T12 · nothing is kept for a slow viewer but the newest 16 batches that were in memory anyway', async () => {
  const { database, broker, follow } = open();
  const [slow, quick] = [follow(), follow()];
  await slow.next();
  let { next: waiting } = await upToDate(quick, database);
  const batches: Rows[] = [];
  for (let at = 0; at < 17; at += 1) {
    const rows = database.commit(1);
    batches.push(rows);
    broker.announce('resp_a', rows, false);
    await waiting;
    waiting = quick.next();
    waiting.catch(() => undefined);
  }
  database.reads.length = 0;
  const first = await slow.next();
  assert.deepEqual(database.reads, ['rows after 1'], 'the 17th is gone from memory');
  assert.equal(seqs(first).length, 17);

  const late = follow(2);
  for (const batch of batches.slice(1)) assert.equal((await late.next()).value, batch);
  assert.equal(database.reads.length, 1);
  broker.close();
});

test('T12 · large batches are kept for nobody but those who wait for them', async () => {
  const { database, broker, follow } = open();
  const slow = follow();
  await slow.next();
  const { next } = await upToDate(follow(), database);
  const large = database.commit(1, 200_000);
  broker.announce('resp_a', large, false);
  assert.equal((await next).value, large, 'who waits has it from memory, however large');
  broker.announce('resp_a', database.commit(1, 200_000), false);
  database.reads.length = 0;
  assert.deepEqual(seqs(await slow.next()), [2]);
  assert.deepEqual(database.reads, ['rows after 1'], 'the older one is gone from memory');
  broker.close();
});

test('T14 · a crowd is woken by and by, and gets what comes meanwhile together, as the same arrays', async () => {
  const { database, broker, follow } = open();
  const cursors = Array.from({ length: 1_000 }, () => follow());
  const waiting = await Promise.all(cursors.map((cursor) => upToDate(cursor, database)));
  const readsOfRows = (): number => database.reads.filter((read) => read !== 'head').length;
  const readsBefore = readsOfRows();
  let woken = 0;
  const steps = waiting.map(async ({ next }) => {
    const { value } = await next;
    woken += 1;
    return value;
  });
  const first = database.commit(1);
  broker.announce('resp_a', first, false);
  await Promise.allSettled(steps.slice(0, 1));
  assert.ok(woken <= 200, `${woken} are woken in the tick of the row`);
  const later = [1, 1, 1].map((count) => {
    const rows = database.commit(count);
    broker.announce('resp_a', rows, false);
    return rows;
  });
  assert.deepEqual(new Set(await Promise.all(steps)), new Set([first]), 'the very array that was written');
  const together = await Promise.all(cursors.map(async (cursor) => (await cursor.next()).value));
  assert.deepEqual(together[0], later.flat());
  assert.equal(new Set(together).size, 1, 'one array, which is encoded once');
  assert.equal(readsOfRows(), readsBefore);
  broker.close();
});

test('T7 · whoever joins a crowd in the midst of what it gets together reads on from there, from memory', async () => {
  const { database, broker, follow } = open(1);
  const early = follow();
  await upToDate(early, database);
  broker.announce('resp_a', database.commit(1), false);
  await theirTurn();
  // Shown later, together: the crowd rests.
  const [second, third] = [database.commit(1), database.commit(1)];
  broker.announce('resp_a', second, false);
  const late = follow(second[0]?.seq);
  const next = late.next();
  broker.announce('resp_a', third, false);
  assert.deepEqual(seqs(await next), [third[0]?.seq]);
  broker.close();
});
