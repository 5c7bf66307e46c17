/** What a test environment starts: loaded when there is one, since it loads Temporal's native bridge. */
import { type BundlerPlugin, bundleWorkflowCode, DefaultLogger, Runtime, type WorkflowBundleWithSourceMap } from '@temporalio/worker';

export { userCacheFolder } from '../config/user-cache.ts';
export { startGateway } from '../roles/gateway.ts';
export { turnkeepPlugin } from '../roles/plugin.ts';
export { startWorker } from '../roles/worker.ts';
export { bundleWorkflows } from '../roles/workflow-bundle.ts';

const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** The workflow code of an application's own: made once, for its worker and for the replays of its histories. */
export async function bundleOwn(workflowsPath: string, plugin: BundlerPlugin): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({ workflowsPath, plugins: [plugin], logger: silent });
}

/** What Temporal's SDK logs in this process: warnings, unless somebody has said otherwise before. */
export function quieten(): void {
  try {
    Runtime.install({ logger: new DefaultLogger('WARN') });
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'IllegalStateError') throw error;
  }
}
