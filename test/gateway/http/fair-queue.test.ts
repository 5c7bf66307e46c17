import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { FairQueue, type FairQueueLimits, type Place, QueueFullError } from '../../../src/gateway/http/fair-queue.ts';

const limits: FairQueueLimits = {
  places: 8,
  mostWaiting: 50,
  perSecond: 10,
  burst: 2,
  perRefusal: 5,
  longestGapMs: 500,
  ticksToSpare: 3,
  forgetAfterMs: 60_000,
};

/** A queue whose clock, and whose event loop, are moved by hand. */
class Intake {
  readonly queue: FairQueue;
  /** What was let in, in order, as `tenant number`. */
  readonly entered: string[] = [];
  readonly held = new Map<string, Place>();
  readonly waits: number[] = [];
  nowMs = 0;
  onTick: ((isOnTime: boolean) => void) | undefined;
  readonly #counts = new Map<string, number>();

  constructor(own: Partial<FairQueueLimits> = {}) {
    this.queue = new FairQueue({
      limits: { ...limits, ...own },
      now: () => this.nowMs,
      onWaited: (ms) => this.waits.push(ms),
      loopClock: (onTick) => {
        assert.equal(this.onTick, undefined, 'one clock at a time');
        this.onTick = onTick;
        return () => {
          this.onTick = undefined;
        };
      },
    });
  }

  /** @returns was it let in at once? */
  come(tenant: string, signal?: AbortSignal): boolean {
    const number = (this.#counts.get(tenant) ?? 0) + 1;
    this.#counts.set(tenant, number);
    const name = `${tenant} ${number}`;
    const enter = (place: Place): void => {
      this.entered.push(name);
      this.held.set(name, place);
    };
    const entered = this.queue.enter(tenant, signal);
    if (!(entered instanceof Promise)) {
      enter(entered);
      return true;
    }
    entered.then(enter, () => undefined);
    return false;
  }

  /** All that are being taken in are accepted. */
  accept(): void {
    for (const [name, place] of this.held) {
      this.held.delete(name);
      place.release();
    }
  }

  /** The event loop has so much time to spare that one more may come in; and that one is accepted. */
  async spare(): Promise<void> {
    for (let tick = 0; tick < limits.ticksToSpare; tick += 1) this.onTick?.(true);
    await setImmediate();
    this.accept();
    await setImmediate();
  }
}

/** Each of them has used up its rate, and `count` of each wait; another one was there. */
async function crowd(intake: Intake, tenants: readonly string[], count: number): Promise<void> {
  intake.come('bystander');
  for (const tenant of tenants) while (intake.come(tenant)) intake.accept();
  for (const tenant of tenants) for (let more = 1; more < count; more += 1) assert.equal(intake.come(tenant), false);
  intake.accept();
  await setImmediate();
  intake.entered.length = 0;
}

test('T14 · alone, a tenant is let in at once, without a promise and without a clock, as far as half of the places go', () => {
  const intake = new Intake();
  for (let index = 0; index < 100; index += 1) {
    assert.equal(intake.come('me'), true);
    intake.accept();
  }
  assert.equal(intake.onTick, undefined);
  assert.deepEqual(
    Array.from({ length: 6 }, () => intake.come('me')),
    [true, true, true, true, false, false],
  );
});

test('T14 · a place that is released is the next one’s, in the order they came', async () => {
  const intake = new Intake();
  for (let index = 0; index < 7; index += 1) intake.come('me');
  intake.held.get('me 2')?.release();
  intake.held.get('me 2')?.release();
  await setImmediate();
  assert.deepEqual(intake.entered, ['me 1', 'me 2', 'me 3', 'me 4', 'me 5']);
  intake.held.get('me 1')?.release();
  intake.held.get('me 3')?.release();
  await setImmediate();
  assert.deepEqual(intake.entered.slice(5), ['me 6', 'me 7']);
  assert.deepEqual([intake.queue.waiting, intake.onTick], [0, undefined]);
});

test('F1 · T14 · whoever is within its rate is let in at once, whatever waits of others', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 40 }), async (tenants, count) => {
      const intake = new Intake({ places: 64 });
      await crowd(intake, ['few', ...Array.from({ length: tenants }, (_, index) => `many ${index}`)], count);
      while (intake.queue.waiting > 0 && intake.entered.filter((name) => name.startsWith('few')).length < count) await intake.spare();
      const waiting = intake.queue.waiting;
      // Its rate, and no more: of those that wait the rate of each may come in meanwhile.
      intake.nowMs += 100;
      assert.deepEqual([intake.come('few'), intake.come('few')], [true, false]);
      assert.equal(intake.queue.waiting, waiting + 1);
    }),
    { numRuns: 50 },
  );
});

test('T14 · who was refused for its rate waits for time to spare, until the rate of half a second has come again', async () => {
  const intake = new Intake();
  intake.come('bystander');
  for (const _refused of [1, 2, 3]) intake.queue.exceeded('many');
  intake.nowMs += 590;
  assert.equal(intake.come('many'), false);
  await intake.spare();
  assert.deepEqual(intake.entered, ['bystander 1', 'many 1']);
  intake.accept();
  intake.nowMs += 100;
  assert.deepEqual([intake.come('many'), intake.come('many')], [true, false]);
});

test('F2 · T14 · of the time to spare each tenant that waits gets the same share: 40 wait of both', async () => {
  const intake = new Intake();
  await crowd(intake, ['many', 'few'], 40);
  const entered = (tenant: string): number => intake.entered.filter((name) => name.startsWith(tenant)).length;
  for (let index = 0; index < 20; index += 1) await intake.spare();
  assert.deepEqual([entered('many'), entered('few')], [10, 10]);
});

test('F2 · T14 · who comes is next after one of each of the others at most', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }), fc.nat(30), async (counts, before) => {
      const intake = new Intake();
      await crowd(intake, ['late'], 1);
      await intake.spare();
      const others = counts.map((_, index) => `other ${index}`);
      for (const [index, count] of counts.entries()) await crowd(intake, [others[index] ?? ''], count);
      for (let index = 0; index < before; index += 1) await intake.spare();
      intake.entered.length = 0;
      assert.equal(intake.come('late'), false);
      for (let index = 0; index <= others.length; index += 1) await intake.spare();
      assert.ok(intake.entered.includes('late 4'), intake.entered.join());
    }),
    { numRuns: 50 },
  );
});

test('T14 · without time to spare one of each tenant is let in every half a second', async () => {
  const intake = new Intake();
  await crowd(intake, ['many', 'few'], 40);
  for (let tick = 0; tick < 1_000; tick += 1) {
    intake.nowMs += 5;
    intake.onTick?.(false);
    await setImmediate();
    intake.accept();
  }
  const entered = (tenant: string): number => intake.entered.filter((name) => name.startsWith(tenant)).length;
  assert.deepEqual([entered('many'), entered('few')], [10, 10]);
});

test('F3, F4 · T14 · in order, bounded, and without a hole, whoever comes, goes, is accepted or gives up, and in what order', async () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('come' as const), tenant: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ type: fc.constant('leave' as const), index: fc.nat(30) }),
    fc.record({ type: fc.constant('accept' as const), index: fc.nat(8) }),
    fc.record({ type: fc.constant('tick' as const), ms: fc.nat(50), isOnTime: fc.boolean() }),
    fc.record({ type: fc.constant('settle' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
      const own = { mostWaiting: 10, places: 6 };
      const intake = new Intake(own);
      const clients: { readonly name: string; readonly controller: AbortController }[] = [];
      const counts = new Map<string, number>();
      const left = new Set<string>();
      for (const each of steps) {
        if (each.type === 'come') {
          const controller = new AbortController();
          try {
            intake.come(each.tenant, controller.signal);
            clients.push({ name: `${each.tenant} ${(counts.get(each.tenant) ?? 0) + 1}`, controller });
          } catch (error) {
            assert.ok(error instanceof QueueFullError);
            left.add(`${each.tenant} ${(counts.get(each.tenant) ?? 0) + 1}`);
          }
          counts.set(each.tenant, (counts.get(each.tenant) ?? 0) + 1);
        } else if (each.type === 'leave') {
          const client = clients[each.index];
          client?.controller.abort(new Error('gone'));
        } else if (each.type === 'accept') {
          const [name, place] = [...intake.held][each.index] ?? [];
          if (name !== undefined) intake.held.delete(name);
          place?.release();
        } else if (each.type === 'tick') {
          intake.nowMs += each.ms;
          intake.onTick?.(each.isOnTime);
        } else await setImmediate();
        assert.ok(intake.queue.waiting <= 3 * own.mostWaiting);
        assert.ok(intake.held.size <= own.places);
        assert.equal(intake.onTick === undefined, intake.queue.waiting === 0, 'the clock runs while somebody waits');
      }
      intake.queue.open();
      await setImmediate();
      assert.equal(intake.queue.waiting, 0);
      const entered = new Set(intake.entered);
      assert.equal(entered.size, intake.entered.length, 'nobody twice');
      for (const { name, controller } of clients) {
        if (!entered.has(name)) assert.ok(controller.signal.aborted, `${name} was forgotten`);
      }
      for (const tenant of ['a', 'b', 'c']) {
        const numbers = intake.entered.filter((name) => name.startsWith(tenant)).map((name) => Number(name.slice(2)));
        assert.deepEqual(
          numbers,
          numbers.toSorted((x, y) => x - y),
          tenant,
        );
      }
    }),
    { numRuns: 200 },
  );
});

test('T14 · a client that has gone waits no more, and one that was gone before never does', async () => {
  const intake = new Intake();
  for (let index = 0; index < 4; index += 1) intake.come('me');
  const gone = AbortSignal.abort(new Error('gone'));
  await assert.rejects(async () => intake.queue.enter('me', gone), /gone/);
  const controller = new AbortController();
  const waiting = intake.queue.enter('me', controller.signal);
  assert.equal(intake.queue.waiting, 1);
  controller.abort(new Error('left'));
  await assert.rejects(async () => waiting, /left/);
  assert.deepEqual([intake.queue.waiting, intake.onTick], [0, undefined]);
  intake.accept();
  assert.equal(intake.come('me'), true);
});

test('T14 · one more than may wait is refused', () => {
  const intake = new Intake({ mostWaiting: 2 });
  for (let index = 0; index < 6; index += 1) intake.come('me');
  assert.throws(() => intake.come('me'), QueueFullError);
  assert.equal(intake.queue.waiting, 2);
});

test('a process that shuts down lets everybody in, to be refused', async () => {
  const intake = new Intake();
  await crowd(intake, ['many', 'few'], 20);
  const { waiting } = intake.queue;
  intake.queue.open();
  await setImmediate();
  assert.equal(intake.entered.length, waiting);
  assert.equal(intake.come('many'), true);
});

test('a tenant that was not there for long does not slow down the one that is', async () => {
  const intake = new Intake();
  await crowd(intake, ['me', 'you'], 1);
  await intake.spare();
  await intake.spare();
  intake.nowMs += limits.forgetAfterMs;
  intake.come('me');
  intake.nowMs += limits.forgetAfterMs / 2;
  for (let index = 0; index < 20; index += 1) {
    assert.equal(intake.come('me'), true);
    intake.accept();
  }
});

test('how long they waited is told of those that did', async () => {
  const intake = new Intake();
  for (let index = 0; index < 5; index += 1) intake.come('me');
  intake.nowMs += 70;
  intake.accept();
  await setImmediate();
  assert.deepEqual(intake.waits, [70]);
});
