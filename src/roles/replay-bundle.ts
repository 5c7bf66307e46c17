/** The workflow code for a replay: ours as a worker runs it, or somebody's own, as his worker with the plugin does. */
import { type BundleOptions, bundleWorkflowCode } from '@temporalio/worker';
import type { Config } from '../config/config.ts';
import { failureConverterPath } from '../codec/data-converter.ts';
import { observeStates } from '../history/debug/debug-bundle.ts';
import { type ReplayRequest, tracePath } from '../history/replay/replay.ts';
import { turnkeepPlugin } from './plugin.ts';
import { bundleWorkflows, ownWorkflowsPath, silent } from './workflow-bundle.ts';

export interface ReplayBundleOptions {
  readonly config: Config;
  /** The module that exports the workflows; ours where nothing is said. */
  readonly workflowsPath?: string | undefined;
  readonly cacheFolder?: string | undefined;
}

/** What `replay` takes. Somebody's own code is bundled once: his worker's bundle is not to be had. */
export function replayBundles({ config, workflowsPath, cacheFolder }: ReplayBundleOptions): Pick<ReplayRequest, 'plain' | 'traced'> {
  if (workflowsPath !== undefined) return { traced: () => bundleTraced({ workflowsPath, plugins: [turnkeepPlugin({ config })] }) };
  return {
    plain: () => bundleWorkflows(config, { cacheFolder }),
    traced: () => bundleTraced({ workflowsPath: ownWorkflowsPath, ...(config.codecKeys.length > 0 ? { failureConverterPath } : {}) }),
  };
}

async function bundleTraced(options: BundleOptions): Promise<{ readonly code: string }> {
  return bundleWorkflowCode({ ...options, logger: silent, workflowInterceptorModules: [tracePath] });
}

/** Our own workflow code, for `turnkeep debug`. */
export async function bundleForDebug({ codecKeys }: Pick<Config, 'codecKeys'>): Promise<{ readonly code: string }> {
  return bundleWorkflowCode({
    workflowsPath: ownWorkflowsPath,
    ...(codecKeys.length > 0 ? { failureConverterPath } : {}),
    logger: silent,
    webpackConfigHook: observeStates,
  });
}
