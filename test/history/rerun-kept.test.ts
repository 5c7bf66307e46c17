/** Answers that their provider keeps, read over several connections and by several processes: run again, the same journal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rerunTurn } from '../../src/history/rerun/rerun.ts';
import { RerunDatabase } from '../../src/history/rerun/scene.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { fin, hold, type KeptAnswer, reset, ResponsesWriter, type Script, stall } from '../../src/testing/model-server/index.ts';
import { keptScene } from '../activities/kept-scene.ts';
import { bundleOf } from '../support/bundle.ts';
import { until } from '../support/until.ts';

const settings = { model: 'scripted' };

function answerOf(breaks: KeptAnswer['breaks'] = [], between: Script = []): KeptAnswer {
  const writer = new ResponsesWriter({ id: 'resp_p' });
  const steps = [
    ...writer.begin(),
    ...writer.text('one ', 'two ', 'three '),
    ...between,
    ...writer.text('four ', 'five'),
    ...writer.completed(7, 9),
  ];
  return { steps, breaks };
}

async function assertSame(store: Store, status: string): Promise<void> {
  await using database = new RerunDatabase();
  const bundle = await bundleOf(store, 'resp_a');
  assert.equal(bundle.turn.status, status);
  const { outcome, reason, difference } = await rerunTurn(database, bundle);
  assert.deepEqual([outcome, reason, difference], ['same', undefined, undefined]);
}

test('over two connections, and where the provider has it no more', async () => {
  await using scene = await keptScene({ answers: [answerOf([{ before: 6, by: [fin] }])], settings });
  await scene.step(1);
  await assertSame(scene.store, 'completed');
  await using gone = await keptScene({ answers: [answerOf([{ before: 6, by: [hold('told'), reset] }])], settings });
  const step = gone.step(1);
  await gone.shown('one ');
  gone.answers.forget();
  gone.model.release('told');
  await step;
  await assertSame(gone.store, 'failed');
});

test('by the next process, where the one before stands still', async () => {
  await using scene = await keptScene({ answers: [answerOf([], [hold('more')])], settings });
  const frozen = scene.step(1, scene.frozen()).catch(() => undefined);
  await scene.shown('three ');
  scene.expireLeases();
  const next = scene.step(1);
  await until(async () => scene.requests().length === 2);
  scene.model.release('more');
  await next;
  await frozen;
  await assertSame(scene.store, 'completed');
});

test('by the next process, where the one before has shut down; and a cancel in it', async () => {
  for (const isCancelled of [false, true]) {
    await using scene = await keptScene({
      answers: [answerOf([{ before: 7, by: [stall] }, ...(isCancelled ? [{ before: 8, by: [stall] }] : [])])],
      settings,
    });
    const first = scene.process();
    const step = scene.step(1, first).catch(() => undefined);
    await scene.shown('two ');
    first.attempts.get('resp_a')?.abort('shutdown');
    await step;
    const second = scene.process();
    const next = scene.step(1, second);
    if (isCancelled) {
      await until(async () => second.attempts.get('resp_a') !== undefined && scene.requests().length === 2);
      second.attempts.get('resp_a')?.abort('cancelled');
    }
    await next;
    await assertSame(scene.store, isCancelled ? 'cancelled' : 'completed');
  }
});
