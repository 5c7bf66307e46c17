/**
 * Random schedules of kills, stops, drains, resets of connections and of workflow runs, busy providers, failing tools, approvals,
 * cancels and budgets over 10,000 turns of up to three steps, against a checker of the laws. One seed of ten is played on SQLite,
 * the others on the driver in memory. A seed that fails is in the test's title, and plays the same again:
 *
 *     TURNKEEP_TEST_SEED=1004 node --test test/activities/agent-schedules.test.ts      that one alone
 *     TURNKEEP_TEST_WORLDS=2000 node --test test/activities/agent-schedules.test.ts    100,000 turns
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ScheduleWorker } from '../support/schedule/worker.ts';

const only = process.env['TURNKEEP_TEST_SEED'];
const turns = Number(process.env['TURNKEEP_TEST_TURNS'] ?? 50);
const worlds = Number(process.env['TURNKEEP_TEST_WORLDS'] ?? 200);
const seeds = only === undefined ? Array.from({ length: worlds }, (_, index) => 1_000 + index) : [Number(only)];

const worker = new ScheduleWorker();
after(() => worker[Symbol.asyncDispose]());

const total = new Map<string, number>();
const happened = new Map<number, readonly string[]>();
for (const seed of seeds) {
  test(`T1 to T9, T13, T14 · ${turns} turns of several steps under seed ${seed}`, { timeout: 300_000 }, async ({ signal }) => {
    const outcome = await worker.play({ seed, turns }, signal);
    for (const [sight, count] of outcome.sights) total.set(sight, (total.get(sight) ?? 0) + count);
    happened.set(seed, outcome.happened);
  });
}

// One on each driver.
for (const seed of seeds.slice(0, 2)) {
  test(`seed ${seed} plays the same again`, { timeout: 300_000 }, async ({ signal }) => {
    const again = await worker.play({ seed, turns }, signal);
    assert.deepEqual(again.happened, happened.get(seed));
  });
}

test('the schedules have reached every kind of end, and all that is rare', { skip: only !== undefined }, (context) => {
  context.diagnostic(JSON.stringify(Object.fromEntries(total)));
  const ends = ['completed', 'cancelled', 'transport_failed', 'provider_busy', 'stream_interrupted', 'worker_lost', 'budget_exceeded'];
  const ofCalls = ['call completed', 'call failed', 'call unknown', 'call cut_off', 'call run again', 'call never begun', 'approved'];
  for (const sight of [...ends, ...ofCalls, 'three steps', 'three requests', 'reset', 'viewed']) {
    assert.ok((total.get(sight) ?? 0) > 0, `${sight}: ${JSON.stringify(Object.fromEntries(total))}`);
  }
});
