/**
 * Random schedules of kills, stops, drains, resets, busy providers, failing tools, approvals and cancels over turns of several
 * steps, against a checker of the laws. A seed that fails is in the test's title:
 *
 *     TURNKEEP_TEST_SEED=1004 node --test test/activities/agent-schedules.test.ts      that one alone
 *     TURNKEEP_TEST_WORLDS=200 TURNKEEP_TEST_TURNS=50 node --test test/activities/agent-schedules.test.ts     10,000 turns
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentSchedule, checkPlayed } from '../support/agent-schedule.ts';
import { Dice } from '../support/dice.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { temporaryDatabase } from '../store/temporary.ts';

const only = process.env['TURNKEEP_TEST_SEED'];
const turnsAtOnce = Number(process.env['TURNKEEP_TEST_TURNS'] ?? 50);
const worlds = Number(process.env['TURNKEEP_TEST_WORLDS'] ?? 12);
const seeds = only === undefined ? Array.from({ length: worlds }, (_, index) => 1_000 + index) : [Number(only)];

const total = new Map<string, number>();
for (const seed of seeds) {
  test(`T1 to T8 · ${turnsAtOnce} turns of several steps under seed ${seed}`, { timeout: 300_000 }, async () => {
    await using database = temporaryDatabase();
    const store = database.open();
    using clock = new FakeClock();
    const played = await new AgentSchedule(new Dice(seed), clock, store).play(turnsAtOnce);
    const ends = await checkPlayed(store, played);
    for (const [end, count] of ends) total.set(end, (total.get(end) ?? 0) + count);
  });
}

test('the schedules have reached every kind of end', { skip: only !== undefined }, () => {
  for (const end of ['completed', 'cancelled', 'transport_failed', 'stream_interrupted', 'worker_lost']) {
    assert.ok((total.get(end) ?? 0) > 0, `${end}: ${JSON.stringify(Object.fromEntries(total))}`);
  }
});
