/** The breakers of a process, on a store that two of them share. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { breakerKeysOf, failuresToOpen, leftToOthersMs, probeMs } from '../../src/domain/turn/breaker.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { ModelFailure } from '../../src/domain/model.ts';
import { Breakers } from '../../src/settle/breakers.ts';
import { claimUnlessAway, type ProviderBreakers } from '../../src/settle/claim-unless-away.ts';
import type { Claim } from '../../src/store/ports/journal.ts';
import type { Store, TripBreaker } from '../../src/store/ports/store.ts';
import { MemoryDatabase } from '../store/memory/database.ts';
import { openMemoryStore } from '../store/memory/open-store.ts';

const keysOf = (tenant: string) => breakerKeysOf('http://model.example/v1', 'scripted', tenant);
const [ann, bob] = [keysOf('ann'), keysOf('bob')];
const failure: ModelFailure = { code: 'provider_busy', message: 'The provider failed.', detail: '500' };
const waitMs = 5_000;

/** Both clocks, in the hands of the test. */
function setClocks(): Disposable & { move(byMs: number): void } {
  let passedMs = 0;
  const began = { wall: Date.now(), ticks: Math.floor(performance.now()) };
  const clocks = [mock.method(Date, 'now', () => began.wall + passedMs), mock.method(performance, 'now', () => began.ticks + passedMs)];
  return {
    move(byMs) {
      passedMs += byMs;
    },
    [Symbol.dispose]() {
      for (const clock of clocks) clock.mock.restore();
    },
  };
}

interface Process {
  readonly breakers: Breakers;
  /** What it has begun is done, and it has looked at the database. */
  look(): Promise<void>;
}

function processOn(database: MemoryDatabase): Process & { readonly store: Store } {
  const store = openMemoryStore(database);
  let open = 0;
  /** As many calls as it takes until nothing is asked of the database any more. */
  const settled = async (): Promise<void> => {
    await nextTurnOfTheLoop();
    if (open > 0) await settled();
  };
  const counted =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> => {
      open += 1;
      // What follows an answer at once is part of it.
      return call(...args).finally(() => setImmediate(() => (open -= 1)));
    };
  const breakers = new Breakers({
    store: {
      readBreakers: counted(() => store.readBreakers()),
      tripBreaker: counted((failed: TripBreaker) => store.tripBreaker(failed)),
      probeBreaker: counted((key: string) => store.probeBreaker(key)),
      closeBreaker: counted((key: string) => store.closeBreaker(key)),
    },
    onChange: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
  const look = async (): Promise<void> => {
    await settled();
    breakers.start();
    await settled();
    breakers.stop();
  };
  return { breakers, look, store };
}

function failAll({ breakers }: Process, keys = ann, steps = failuresToOpen): void {
  for (let of = 0; of < steps; of += 1) breakers.failed(keys, `turn ${of} of ${keys.tenant}`, failure);
}

test("T14 · what one tenant's turns fail by is that tenant's, until another tenant's fail too", async () => {
  using clocks = setClocks();
  const database = new MemoryDatabase();
  const [one, other] = [processOn(database), processOn(database)];
  failAll(one);
  await one.look();
  await other.look();
  for (const { breakers } of [one, other]) {
    assert.deepEqual([breakers.state(ann).type, breakers.state(bob).type], ['open', 'closed']);
  }
  clocks.move(1_000);
  one.breakers.failed(bob, 'turn of bob', failure);
  await one.look();
  await other.look();
  for (const { breakers } of [one, other]) assert.equal(breakers.state(bob).type, 'open');
});

test('T14 · a tenant whose probe has failed for everybody is not the next one that asks, in any process', async () => {
  using clocks = setClocks();
  const database = new MemoryDatabase();
  const [one, other] = [processOn(database), processOn(database)];
  await one.store.tripBreaker({ key: ann.everybody, detail: '500', isProbe: false });
  clocks.move(waitMs);
  await one.look();
  assert.equal(one.breakers.state(ann).type, 'due');
  assert.ok(await one.breakers.probe(ann, 'poison'));
  assert.equal(one.breakers.state(bob).type, 'half_open');
  one.breakers.failed(ann, 'poison', failure);
  await one.look();
  clocks.move(2 * waitMs);
  await other.look();
  assert.deepEqual([other.breakers.state(ann).type, other.breakers.state(bob).type], ['open', 'due']);
  assert.ok(await other.breakers.probe(bob, 'turn of bob'));
  other.breakers.answered(bob);
  await other.look();
  assert.equal(other.breakers.state(bob).type, 'closed');
  clocks.move(leftToOthersMs);
  assert.equal(other.breakers.state(ann).type, 'due', 'and where nobody else asked, it asks again');
});

test('T4 · a probe that is lost in one process is nothing to another: one failure behind its answer opens nothing', async () => {
  using clocks = setClocks();
  const database = new MemoryDatabase();
  const [one, other] = [processOn(database), processOn(database)];
  failAll(one);
  await one.look();
  clocks.move(waitMs);
  assert.ok(await one.breakers.probe(ann, 'never sent'));
  clocks.move(probeMs);
  await other.look();
  assert.ok(await other.breakers.probe(ann, 'sent'));
  other.breakers.answered(ann);
  await other.look();
  await one.look();
  one.breakers.failed(ann, 'never sent', failure);
  one.breakers.failed(ann, 'another', failure);
  await one.look();
  assert.equal(one.breakers.state(ann).type, 'closed');
});

for (const { name, ends } of [
  { name: 'stopped', ends: ({ breakers }: Process) => breakers.unanswered(ann, 'probe') },
  { name: 'silent', ends: ({ breakers }: Process) => breakers.failed(ann, 'probe', { ...failure, code: 'model_timeout' }) },
]) {
  test(`T4 · a probe that is ${name} says nothing of the provider, and nor does a failure of another request behind it`, async () => {
    using clocks = setClocks();
    const one = processOn(new MemoryDatabase());
    failAll(one);
    await one.look();
    clocks.move(waitMs);
    assert.ok(await one.breakers.probe(ann, 'probe'));
    ends(one);
    one.breakers.failed(ann, 'a title', failure);
    one.breakers.failed(ann, 'probe', failure);
    await one.look();
    assert.equal((await one.store.readBreakers()).rows[0]?.trips, 1);
    clocks.move(probeMs);
    assert.equal(one.breakers.state(ann).type, 'due');
  });
}

test('T4 · whoever has nothing to ask takes no probe from others', async () => {
  const asking = { turn: 'resp_a', step: 1, tenant: 'ann', settings: defaultSettings('scripted') };
  const calls: string[] = [];
  const breakers: ProviderBreakers = {
    state: () => ({ type: 'due' }),
    probe: async () => calls.push('probe') > 0,
    unanswered: () => void calls.push('unanswered'),
  };
  const claimed = (...claims: readonly Claim['type'][]): Promise<Claim> => {
    const left = [...claims];
    return claimUnlessAway(breakers, asking, async (away) => {
      calls.push(away === undefined ? 'claim' : 'claim while away');
      return { type: left.shift() } as Claim;
    });
  };
  for (const type of ['tools', 'cancelled', 'started', 'not_due', 'ahead', 'settled', 'held', 'exhausted'] as const) {
    assert.equal((await claimed(type)).type, type);
    assert.deepEqual(calls.splice(0), ['claim while away']);
  }
  assert.equal((await claimed('away', 'granted')).type, 'granted');
  assert.deepEqual(calls.splice(0), ['claim while away', 'probe', 'claim']);
  assert.equal((await claimed('away', 'cancelled')).type, 'cancelled');
  assert.deepEqual(calls.splice(0), ['claim while away', 'probe', 'claim', 'unanswered']);
});
