/** How the worker of a process ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IllegalStateError } from '@temporalio/common';
import { Runtime } from '@temporalio/worker';
import { chatAnswer } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';

test('a worker that has done its work has stopped, though a last call into its native half still refers to it', async (context) => {
  await using world = await World.open({ hasWorker: false });
  const runtime = Runtime.instance();
  const free = runtime.deregisterWorker.bind(runtime);
  const freed = context.mock.method(runtime, 'deregisterWorker', async (worker: Parameters<typeof free>[0]) => {
    await free(worker);
    throw new IllegalStateError('Worker still in use: Expected 1 reference, but got 2');
  });
  const worker = await world.startWorker();
  world.model.enqueue(chatAnswer('Hello'));
  assert.equal((await world.hear('hi')).last.response.status, 'completed');
  worker.shutdown();
  await worker.stopped;
  assert.ok(freed.mock.callCount() > 0);
});
