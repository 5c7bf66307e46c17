/** Processes that die, stop or go in the midst of an agent's turn: each of its steps and tools keeps its own law. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { againOf, onceOf } from '../support/agent-turns.ts';
import { until } from '../support/until.ts';
import { begin, completed, idOf, options, sceneOf, settled, whole } from './agent-scene.ts';

test('T2, T7 · workers that are killed again and again, at any moment, under many turns: every law holds of each', options, async () => {
  await using scene = await sceneOf();
  const { cluster, runs } = scene;
  runs.releaseAll();
  const { url } = await cluster.startGateway();
  let worker = await cluster.startWorker();
  const names: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    const fresh = Array.from({ length: 6 }, (_, index) => `turn${round}${index}`);
    names.push(...fresh);
    await Promise.all(fresh.map(async (name) => begin(scene, url, name)));
    // At some row of some turn: each round at another one.
    const victim = idOf(scene, fresh[round] ?? '');
    await until(async () => {
      const { last, isSealed } = (await cluster.store.readHead(victim)) ?? { last: 0, isSealed: false };
      return isSealed || last >= 4 + round * 5;
    });
    await worker.kill();
    worker = await cluster.startWorker();
  }
  const ends = new Map<string, number>();
  for (const name of names) {
    await settled(scene, idOf(scene, name));
    const { status, code } = await scene.check(name);
    ends.set(`${status} ${code ?? ''}`, (ends.get(`${status} ${code ?? ''}`) ?? 0) + 1);
    assert.ok(status === 'completed' || code === 'worker_lost', `${name}: ${status} ${code}`);
  }
});

test('T9 · SIGTERM of the worker in a tool: within the drain it ends, and the turn goes on elsewhere', options, async () => {
  await using scene = await sceneOf();
  const { cluster, runs } = scene;
  const { url } = await cluster.startGateway();
  const leaving = await cluster.startWorker({ TURNKEEP_DRAIN_MS: '60000' });
  const id = await begin(scene, url, 'patient');
  const asked = { turn: 'patient', step: 1 };
  await Promise.all([runs.begun(onceOf(asked)), runs.begun(againOf(asked))]);
  leaving.signal('SIGTERM');
  await leaving.says(/drain|stopp/i);
  await cluster.startWorker();
  runs.releaseAll();
  await settled(scene, id);
  assert.equal(await leaving.ended(), 0);
  assert.deepEqual(await scene.check('patient'), { ...completed, requests: [1, 1, 1], calls: [whole, whole, whole, whole] });
});

test(
  'T9 · SIGTERM of the worker in a tool: past the drain the round is handed on, and the outcome of what may run once is unknown',
  options,
  async () => {
    await using scene = await sceneOf();
    const { cluster, runs } = scene;
    const { url } = await cluster.startGateway();
    const leaving = await cluster.startWorker({ TURNKEEP_DRAIN_MS: '0' });
    const id = await begin(scene, url, 'hasty');
    const asked = { turn: 'hasty', step: 1 };
    await Promise.all([runs.begun(onceOf(asked)), runs.begun(againOf(asked))]);
    leaving.signal('SIGTERM');
    assert.equal(await leaving.ended(), 0);
    runs.releaseAll();
    await cluster.startWorker();
    await settled(scene, id);
    assert.deepEqual(await scene.check('hasty'), { ...completed, requests: [1, 1, 1], calls: ['1 unknown', '2 completed', whole, whole] });
  },
);

test('T7 · a worker that stands still in a tool is fenced: what it ends late is not written', options, async () => {
  await using scene = await sceneOf();
  const { cluster, runs } = scene;
  const { url } = await cluster.startGateway();
  const zombie = await cluster.startWorker();
  const id = await begin(scene, url, 'zombie');
  const asked = { turn: 'zombie', step: 1 };
  await Promise.all([runs.begun(onceOf(asked)), runs.begun(againOf(asked))]);
  await cluster.stop(zombie);
  runs.releaseAll();
  await cluster.startWorker();
  await settled(scene, id);
  const ends = { ...completed, requests: [1, 1, 1], calls: ['1 unknown', '2 completed', whole, whole] };
  assert.deepEqual(await scene.check('zombie'), ends);
  const before = await cluster.store.readJournal(id);
  zombie.signal('SIGCONT');
  await until(() => runs.count('ended', onceOf(asked)) + runs.count('ended', againOf(asked)) >= 2);
  const next = await begin(scene, url, 'next');
  await settled(scene, next);
  assert.deepEqual(await scene.check('next'), { ...completed, requests: [1, 1, 1], calls: [whole, whole, whole, whole] });
  assert.deepEqual(await cluster.store.readJournal(id), before);
  assert.deepEqual(await scene.check('zombie'), ends);
});
