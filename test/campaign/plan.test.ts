/** A seed plans the same campaign again, and leaves out nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FaultKind, manners, modelFaults, planFaults, planTurn } from './plan.ts';

const kinds: readonly FaultKind[] = ['kill serve', 'stop worker', 'reset clients', 'cut temporal', 'disk full'];

test('a seed plans the same turns and the same faults again, and another seed plans others', () => {
  const turns = (seed: number) => Array.from({ length: 50 }, (_, n) => planTurn(seed, n, 5));
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
  const early = Array.from({ length: 100 }, (_, n) => planTurn(5, n, 5));
  assert.deepEqual(new Set(early.map(({ manner }) => manner)), new Set(manners));
  assert.deepEqual(new Set(early.flatMap(({ order }) => order.fault?.kind ?? [])), new Set(modelFaults));
});
