/** A seed plans the same campaign again, and leaves out nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dice } from '../../bench/soak/dice.ts';
import { type FaultKind, manners, modelFaults, plainManners, planFaults, planTurn, weatherWords } from './plan.ts';
import { Weather } from './weather.ts';

const shape = { sessions: 5, isDense: false };
const kinds: readonly FaultKind[] = ['kill serve', 'stop worker', 'reset clients', 'cut temporal', 'disk full'];

test('a seed plans the same turns and the same faults again, and another seed plans others', () => {
  const turns = (seed: number) => Array.from({ length: 50 }, (_, n) => planTurn(seed, n, shape));
  assert.deepEqual(turns(7), turns(7));
  assert.notDeepEqual(turns(7), turns(8));
  assert.deepEqual(planFaults(7, kinds, 60_000, 1_000), planFaults(7, kinds, 60_000, 1_000));
  assert.notDeepEqual(planFaults(7, kinds, 60_000, 1_000), planFaults(8, kinds, 60_000, 1_000));
});

test('each kind of fault comes once in every round, in the order of time, within the length of the load', () => {
  const planned = planFaults(3, kinds, 20_000, 1_000);
  assert.equal(planned.length, 20);
  for (let round = 0; round < 20; round += kinds.length) {
    const of = planned.slice(round, round + kinds.length).map(({ kind }) => kind);
    assert.deepEqual(new Set(of), new Set(kinds));
  }
  const times = planned.map(({ atMs }) => atMs);
  assert.deepEqual(
    times,
    times.toSorted((one, other) => one - other),
  );
  assert.ok(times.every((atMs) => atMs >= 0 && atMs < 20_000));
});

test('a load that is too short for its pace has each kind once all the same', () => {
  assert.equal(planFaults(3, kinds, 1_000, 60_000).length, kinds.length);
});

test('every manner of clients and every fault of the model is planned early', () => {
  const early = Array.from({ length: 100 }, (_, n) => planTurn(5, n, shape));
  assert.deepEqual(new Set(early.map(({ manner }) => manner)), new Set(manners));
  assert.deepEqual(new Set(early.flatMap(({ order }) => order.fault?.kind ?? [])), new Set(modelFaults));
});

test('a dense load has something that fails in nearly every turn, every manner and every fault of the model', () => {
  const plans = Array.from({ length: 400 }, (_, n) => planTurn(5, n, { sessions: 5, isDense: true }));
  const smooth = plans.filter(({ manner, order }) => plainManners.has(manner) && order.fault === undefined);
  assert.ok(smooth.length < plans.length / 10, `${smooth.length} of ${plans.length} turns have no fault`);
  assert.deepEqual(new Set(plans.map(({ manner }) => manner)), new Set(manners));
  assert.deepEqual(new Set(plans.flatMap(({ order }) => order.fault?.kind ?? [])), new Set(modelFaults));
});

/** What the chunks meet of 100 seconds, so many a second. */
function metBy(seed: number, chunksPerSecond: number) {
  const weather = new Weather(new Dice(seed, 'weather'), 5);
  return Array.from({ length: 100 * chunksPerSecond }, (_, n) => weather.meet((n * 1_000) / chunksPerSecond)).filter(
    (gust) => gust !== undefined,
  );
}

test('the weather of a seed is the same again, and meets so many chunks a second of a busy link, in each of its ways', () => {
  const met = metBy(7, 1_000);
  assert.deepEqual(metBy(7, 1_000), met);
  assert.notDeepEqual(metBy(8, 1_000), met);
  assert.ok(met.length > 400 && met.length < 600, `${met.length} in 100 s`);
  assert.deepEqual(new Set(met.map(({ word }) => word)), new Set(weatherWords));
  assert.ok(met.every(({ part }) => part >= 0 && part < 1));
});

test('the weather leaves nine of ten chunks of a quiet link alone', () => {
  const met = metBy(7, 2).length;
  assert.ok(met > 5 && met < 40, `${met} of 200`);
});
