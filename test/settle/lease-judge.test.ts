/** Which of the leases that have run out are dead: two sightings, by a process that looks in time, in a database that takes writes. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { LeaseJudge } from '../../src/settle/lease-judge.ts';
import { StoreBusyError } from '../../src/store/ports/store.ts';

/** The clocks of the process, and a judge that goes by them. */
function sceneOf(context: TestContext) {
  const clocks = { steadyMs: 1_000, wallMs: 1_000_000 };
  context.mock.method(performance, 'now', () => clocks.steadyMs);
  context.mock.method(Date, 'now', () => clocks.wallMs);
  let isBusy = false;
  const probe = async (): Promise<void> => {
    if (isBusy) throw new StoreBusyError('locked');
  };
  const judge = new LeaseJudge({ probe });
  return {
    judge,
    setBusy: (busy: boolean): void => {
      isBusy = busy;
    },
    /** The next look: so much later, by both clocks. */
    look: async (epochs: Readonly<Record<string, number>>, { laterMs = 500, steppedMs = 0 } = {}): Promise<string[]> => {
      clocks.steadyMs += laterMs;
      clocks.wallMs += laterMs + steppedMs;
      const dead = await judge.deadOf(
        judge.tick(),
        Object.entries(epochs).map(([turn, epoch]) => ({ turn, epoch })),
      );
      return dead.map(({ turn }) => turn);
    },
  };
}

test('a lease is dead at its second sighting, one after the other, with the same epoch', async (context) => {
  const { look } = sceneOf(context);
  await look({});
  assert.deepEqual(await look({ resp_a: 1, resp_b: 1, resp_c: 1 }), []);
  assert.deepEqual(await look({ resp_a: 1, resp_b: 2 }), ['resp_a']);
  assert.deepEqual(await look({ resp_b: 2, resp_c: 1 }), ['resp_b']);
});

test('a look that comes late, or behind a step of the clock, is no sighting: others may have slept too', async (context) => {
  for (const late of [{ laterMs: 1_600 }, { steppedMs: 1_100 }, { steppedMs: -1_100 }]) {
    const { look } = sceneOf(context);
    await look({});
    await look({ resp_a: 1 });
    assert.deepEqual(await look({ resp_a: 1 }, late), [], JSON.stringify(late));
    assert.deepEqual(await look({ resp_a: 1 }), []);
    assert.deepEqual(await look({ resp_a: 1 }), ['resp_a']);
    context.mock.restoreAll();
  }
});

test('T9 · the first look is no sighting: whoever looks may have come right behind a sleep', async (context) => {
  const { look } = sceneOf(context);
  assert.deepEqual(await look({ resp_a: 1 }, { laterMs: 0 }), []);
  assert.deepEqual(await look({ resp_a: 1 }), []);
  assert.deepEqual(await look({ resp_a: 1 }), ['resp_a']);
});

test('a look at a database that takes no writes is none: nobody could renew a lease', async (context) => {
  const { look, setBusy, judge } = sceneOf(context);
  await look({});
  setBusy(true);
  await assert.rejects(look({ resp_a: 1 }), StoreBusyError);
  assert.deepEqual(await look({}), [], 'without leases nothing is asked of it');
  setBusy(false);
  assert.deepEqual(await look({ resp_a: 1 }), []);
  judge.forget('resp_a');
  assert.deepEqual(await look({ resp_a: 1 }), []);
  assert.deepEqual(await look({ resp_a: 1 }), ['resp_a']);
});
