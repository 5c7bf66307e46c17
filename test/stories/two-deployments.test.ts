/** Two deployments on one namespace and task queue: neither ends the other's turns, and the log says what to do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure, WorkflowFailedError } from '@temporalio/client';
import { pino } from 'pino';
import { workflowIdOf } from '../../src/contract/workflows.ts';
import { World } from '../support/world.ts';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly taskQueue?: string;
}

test('T6 · a worker of another database leaves a turn as it is, whatever its id says there, and tells once what to do', async () => {
  await using one = await World.open({ hasWorker: false });
  const { taskQueue } = one.config;
  const lines: Line[] = [];
  const log = pino({ level: 'error', base: null }, { write: (line) => lines.push(JSON.parse(line) as Line) });
  await using other = await World.open({ hasGateway: false, config: { taskQueue }, log });
  for (const input of ['hi', 'again']) {
    const { id } = await one.say(input);
    await one.history(id);
    const run = one.temporal.workflow.getHandle(workflowIdOf(id)).result();
    await assert.rejects(run, (error) => {
      assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure);
      return error.cause.type === 'wrong_database';
    });
    const turn = await one.store.readTurn(id);
    assert.deepEqual([turn?.status, turn?.readyAtMs === null, await one.attempts(id)], ['queued', false, []]);
    assert.equal(await other.store.readTurn(id), undefined);
  }
  assert.deepEqual([one.model.requests.length, other.model.requests.length], [0, 0]);
  assert.deepEqual(
    lines.map((line) => [line.taskQueue, /TURNKEEP_TASK_QUEUE/.test(line.msg)]),
    [[taskQueue, true]],
  );
});
