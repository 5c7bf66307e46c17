/**
 * Whether runs begin with the version that this process is of (Temporal's worker versioning). An eager start gives the first
 * task of a run to the process that asks for it, whatever its version is. With a version that is not the current one, the next
 * task would be the current one's, whose code may not know what the newer one has written into the history (T10).
 */
import type { WorkflowClient } from '@temporalio/client';
import { inTime } from './patience.ts';

const lookEveryMs = 5_000;
const patienceMs = 2_000;
/** `TASK_QUEUE_TYPE_WORKFLOW`. */
const workflowQueue = 1;

export interface CurrentVersion {
  /** As Temporal said in the last seconds; false where it said nothing. */
  readonly isOurs: () => boolean;
  stop(): void;
}

export interface CurrentVersionOptions {
  readonly workflows: Pick<WorkflowClient, 'options' | 'workflowService'>;
  readonly taskQueue: string;
  /** Absent: there are no versions, and this process is as good as any. */
  readonly deployment?: { readonly name: string; readonly version: string } | undefined;
}

/** Looks every five seconds, until it is stopped. */
export function watchCurrentVersion({ workflows, taskQueue, deployment }: CurrentVersionOptions): CurrentVersion {
  if (deployment === undefined) return { isOurs: () => true, stop: () => undefined };
  const { namespace } = workflows.options;
  let isOurs = false;
  const look = async (): Promise<void> => {
    const query = { namespace, taskQueue: { name: taskQueue }, taskQueueType: workflowQueue };
    const answer = await inTime(workflows.workflowService.describeTaskQueue(query), patienceMs).catch(() => undefined);
    const { currentDeploymentVersion: current, rampingDeploymentVersion: ramping } = answer?.versioningInfo ?? {};
    // While two versions share what begins, Temporal says which run is whose.
    isOurs = ramping == null && current?.deploymentName === deployment.name && current.buildId === deployment.version;
  };
  void look();
  const timer = setInterval(() => void look(), lookEveryMs).unref();
  return { isOurs: () => isOurs, stop: () => clearInterval(timer) };
}
