/** The simulation behind docs/scaling.md: that it is one, and that nothing but its arguments decides what it says. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Costs, readCosts } from '../../bench/scale/costs.ts';
import { GroupWriter, Machine, Simulation, Station } from '../../bench/scale/engine.ts';
import { topologyFor } from '../../bench/scale/sizes.ts';
import { type Load, simulate, type Topology } from '../../bench/scale/system.ts';
import { calibrate } from '../../bench/scale/validate.ts';
import { Dice } from '../../bench/soak/dice.ts';

const cost = { loopMs: 6, sandboxMs: 4, threadsMs: 3, postgresMs: 4, temporalMs: 20, othersMs: 2 };
const costs: Costs = {
  turn: cost,
  token: { loopMs: 0.1, sandboxMs: 0, threadsMs: 0.02, postgresMs: 0.05, temporalMs: 0, othersMs: 0.02 },
  syncMs: 1,
  hopMs: 1,
};

/** Room for all of `load`. */
const roomy: Topology = {
  replicas: 4,
  coresOfReplica: 4,
  postgresCores: 8,
  poolSize: 10,
  temporalCores: 16,
  shards: 512,
  shardWriteMs: 5,
  partitions: 4,
  matchMs: 2,
  pollersOfReplica: 10,
  eagerShare: 1,
};

const load: Load = {
  arrivals: { turnsPerSecond: 100 },
  steps: 1,
  tokens: 50,
  tokensPerSecond: 50,
  tokensTogether: 5,
  seconds: 5,
  warmUpSeconds: 2,
  seed: 7,
};

test('the same seed makes the same run, another one another', () => {
  assert.deepEqual(simulate(roomy, costs, load), simulate(roomy, costs, load));
  assert.notDeepEqual(simulate(roomy, costs, load), simulate(roomy, costs, { ...load, seed: 8 }));
});

const scarce: readonly (readonly [name: string, less: Partial<Topology>, more?: Partial<Costs>])[] = [
  ['event loops', { replicas: 1, coresOfReplica: 16 }],
  ['cores of replica', { coresOfReplica: 0.4 }],
  ['cores of Postgres', { postgresCores: 0.6 }],
  ['cores of Temporal', { temporalCores: 2 }],
  ['shards', { shards: 1 }],
  ['connections', { poolSize: 4 }, { syncMs: 60 }],
];

for (const [name, less, more] of scarce) {
  test(`where ${name} are scarce they give first, and turns wait for them`, () => {
    const enough = simulate(roomy, { ...costs, ...more }, load);
    const tooFew = simulate({ ...roomy, ...less }, { ...costs, ...more }, load);
    assert.equal(tooFew.givesFirst, name, JSON.stringify(tooFew.utilization));
    assert.ok((tooFew.utilization[name] ?? 0) > (enough.utilization[name] ?? 0));
    // A run that waits for Temporal keeps nobody waiting: the turn goes on beside it.
    const isBeside = name === 'shards' || name === 'cores of Temporal';
    assert.equal(tooFew.overheadMs.p99 > 1.2 * enough.overheadMs.p99, !isBeside);
  });
}

test('a queue before one server waits as long as the theory of queues says', () => {
  const simulation = new Simulation();
  const station = new Station(simulation, new Machine(simulation, 'machine', 1), 'one server', 1);
  const dice = new Dice(3, 'queue');
  const [serviceMs, perSecond] = [10, 70];
  const arrive = (): void => {
    station.serve(serviceMs, 0, () => undefined);
    simulation.after(dice.gapMs(perSecond), arrive);
  };
  arrive();
  simulation.run(1_000_000);
  const fullness = (perSecond * serviceMs) / 1_000;
  // Pollaczek and Khinchine, for a service that always takes as long.
  const expectedMs = (fullness * serviceMs) / (2 * (1 - fullness));
  assert.ok(Math.abs(station.utilization - fullness) < 0.01, `${station.utilization}`);
  assert.ok(Math.abs(station.meanWaitMs - expectedMs) < 0.05 * expectedMs, `${station.meanWaitMs}, expected ${expectedMs}`);
});

test('what waits while a statement is under way goes out together in the next', () => {
  const simulation = new Simulation();
  const writer = new GroupWriter(simulation, new Machine(simulation, 'machine', 1), 1, 9);
  const endedAtMs: number[] = [];
  for (let n = 0; n < 4; n += 1) writer.write(1, () => endedAtMs.push(simulation.nowMs));
  simulation.run(1_000);
  assert.deepEqual(endedAtMs, [10, 22, 22, 22]);
});

test('tokens that come faster than one in 25 ms share an event, and wait for it', () => {
  const nothing = { loopMs: 0, sandboxMs: 0, threadsMs: 0, postgresMs: 0, temporalMs: 0, othersMs: 0 };
  const one = { ...load, arrivals: { turns: 1, withinMs: 0 }, tokensTogether: 1, warmUpSeconds: 0 };
  const lagOf = (tokensPerSecond: number) =>
    simulate(roomy, { turn: nothing, token: nothing, syncMs: 0, hopMs: 0 }, { ...one, tokensPerSecond }).tokenLagMs;
  // They come at 20, 40, 60, 80, 100, 120 and 140 ms, and are written at 20, 45, 70, 95, 120, and the last two at 145.
  assert.deepEqual(lagOf(50), { p50: 15, p99: 25, max: 25, n: 50 });
  assert.deepEqual(lagOf(40), { p50: 0, p99: 0, max: 0, n: 50 });
});

test('cores are shared evenly by what runs on them', () => {
  const simulation = new Simulation();
  const machine = new Machine(simulation, 'machine', 2);
  const endedAtMs: number[] = [];
  for (const cpuMs of [10, 10, 10, 30]) machine.run(cpuMs, () => endedAtMs.push(simulation.nowMs));
  simulation.run(1_000);
  // Four on two cores go half as fast; the last one, alone, has a core to itself.
  assert.deepEqual(endedAtMs, [20, 20, 20, 40]);
  assert.equal(machine.busyMs, 60);
});

test('what is measured is in bench/scale/costs.json, and ten times the sessions take ten times the machines', () => {
  const measured = calibrate(readCosts(join(import.meta.dirname, '../../bench/scale/costs.json')), 1);
  const profile = { thinkSeconds: 600, steps: 1, tokens: 300, tokensPerSecond: 50 };
  const [small, large] = [100_000, 1_000_000].map((count) => topologyFor({ ...profile, count }, measured));
  assert.ok(small !== undefined && large !== undefined);
  assert.ok(Math.abs(large.replicas / small.replicas - 10) < 1.5);
  assert.ok(large.shards > small.shards);
});
