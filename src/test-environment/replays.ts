/** T10 for applications: a history that replays on the code that a worker has now. */
import type { Client } from '@temporalio/client';
import type { WorkerPlugin, WorkflowBundleWithSourceMap } from '@temporalio/worker';

export interface ReplayDeps {
  readonly temporal: Client;
  /** The workflow code of the worker that polls this task queue. */
  readonly bundleOf: (taskQueue: string) => WorkflowBundleWithSourceMap | undefined;
  readonly plugin: () => WorkerPlugin;
}

/** @returns `assertReplays` of a test environment */
export function replaying({ temporal, bundleOf, plugin }: ReplayDeps): (workflowId: string) => Promise<void> {
  return async (id) => {
    const { Worker } = await import('@temporalio/worker');
    const workflowId = id.startsWith('resp_') ? `turn/${id}` : id;
    const handle = temporal.workflow.getHandle(workflowId);
    // A turn has its end a moment before its workflow has; how it ended is not asked here.
    await handle.result().catch(() => undefined);
    const { taskQueue } = await handle.describe();
    const workflowBundle = bundleOf(taskQueue);
    if (workflowBundle === undefined) throw new Error(`no worker of this environment has the workflow code of the task queue ${taskQueue}`);
    await Worker.runReplayHistory({ workflowBundle, plugins: [plugin()] }, await handle.fetchHistory(), workflowId);
  };
}
