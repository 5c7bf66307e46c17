/** The worker of an application of its own, beside the turnkeep of a world: another task queue, the same database. */
import assert from 'node:assert/strict';
import { NativeConnection, Worker } from '@temporalio/worker';
import { bundleWorkflowCode, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import type { AgentConfig } from '../../src/config/agent-config.ts';
import { pino } from 'pino';
import { turnkeepPlugin } from '../../src/worker.ts';
import type { World } from './world.ts';

const workflowsPath = new URL('./own-workflows.ts', import.meta.url).pathname;
const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
let bundle: Promise<WorkflowBundleWithSourceMap> | undefined;
let count = 0;

export interface OwnWorker {
  readonly taskQueue: string;
  start<Arguments extends unknown[], Result>(
    workflow: (...args: Arguments) => Promise<Result>,
    ...args: Arguments
  ): Promise<WorkflowHandleWithFirstExecutionRunId<(...args: Arguments) => Promise<Result>>>;
  /** T10: its history replays, with the plugin. */
  replays(workflowId: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startOwnWorker(world: World, agents?: AgentConfig): Promise<OwnWorker> {
  bundle ??= bundleWorkflowCode({ workflowsPath, logger: silent });
  const workflowBundle = await bundle;
  count += 1;
  const taskQueue = `${world.config.taskQueue}-own-${count}`;
  const connection = await NativeConnection.connect({ address: world.config.temporal.address ?? '' });
  const log = pino({ level: 'silent' });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle,
    activities: { greet: async (name: string) => `Hello ${name}` },
    plugins: [turnkeepPlugin({ config: world.config, store: world.openStore(), agents, log })],
  });
  const run = worker.run();
  run.catch(() => undefined);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await run;
      await connection.close();
    })());
  world.onClose(stop);
  return {
    taskQueue,
    start: (workflow, ...args) => {
      count += 1;
      return world.temporal.workflow.start(workflow, { workflowId: `own/${taskQueue}/${count}`, taskQueue, args });
    },
    async replays(workflowId) {
      const history = await world.temporal.workflow.getHandle(workflowId).fetchHistory();
      await Worker.runReplayHistory({ workflowBundle, plugins: [turnkeepPlugin({ config: world.config, log })] }, history, workflowId);
      assert.ok(history.events && history.events.length > 0);
    },
    stop,
  };
}
