/** Who polls the task queues of turns, and of which version they are. */
import type { temporal } from '@temporalio/proto';
import { titleQueueOf, webhookQueueOf } from '../../contract/workflows.ts';
import type { Finding } from '../../store/ports/diagnosis.ts';
import type { TemporalLook } from './temporal.ts';

/** A poll lasts a minute at most, so a worker that lives has begun one since. */
const freshMs = 70_000;

/** `TASK_QUEUE_TYPE_WORKFLOW` and `TASK_QUEUE_TYPE_ACTIVITY`. */
const kinds = { workflow: 1, activity: 2 } as const;

type Described = temporal.api.workflowservice.v1.IDescribeTaskQueueResponse;
type Poller = temporal.api.taskqueue.v1.IPollerInfo;

export async function lookAtQueues({ ask, namespace, config, commandFlags }: TemporalLook): Promise<readonly Finding[]> {
  const describe = (name: string, taskQueueType: number): Promise<Described> =>
    ask((service) => service.describeTaskQueue({ namespace, taskQueue: { name }, taskQueueType, reportStats: true }));
  const { taskQueue } = config;
  const [workflows, activities, titles, webhooks] = await Promise.all([
    describe(taskQueue, kinds.workflow),
    describe(taskQueue, kinds.activity),
    config.titles.isOn ? describe(titleQueueOf(taskQueue), kinds.activity) : undefined,
    config.webhooks.length > 0 ? describe(webhookQueueOf(taskQueue), kinds.activity) : undefined,
  ]);
  const polled = freshOf(workflows);
  const isPolled = polled.length > 0 && freshOf(activities).length > 0;
  const waiting = Number(workflows.stats?.approximateBacklogCount ?? 0) + Number(activities.stats?.approximateBacklogCount ?? 0);
  const polls = polled.length === 1 ? '1 worker polls' : `${polled.length} workers poll`;
  const seen = `${polls} ${taskQueue} in namespace ${namespace}; ${waiting} tasks wait`;
  const mend =
    'start one: `turnkeep serve` or `turnkeep worker`, with the same TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and TURNKEEP_TASK_QUEUE';
  return [
    isPolled
      ? { check: 'workers', status: 'ok', seen }
      : { check: 'workers', status: 'fault', seen: `no worker polls ${taskQueue} in namespace ${namespace}: turns wait`, mend },
    ...unpolled(titles, 'titles', 'TURNKEEP_TITLES'),
    ...unpolled(webhooks, 'webhooks', 'TURNKEEP_WEBHOOK_URL'),
    ...(isPolled ? versionsOf(workflows, polled, commandFlags) : []),
  ];
}

function unpolled(queue: Described | undefined, what: string, setting: string): readonly Finding[] {
  if (queue === undefined || freshOf(queue).length > 0) return [];
  const mend = `give workers the same ${setting} as gateways`;
  return [{ check: what, status: 'fault', seen: `no worker takes ${what}: they wait`, mend }];
}

function freshOf({ pollers }: Described): readonly Poller[] {
  const since = Date.now() - freshMs;
  return (pollers ?? []).filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1_000 > since);
}

/** The versions of those that poll beside the one that runs begin with. None where nobody has a version. */
function versionsOf({ versioningInfo }: Described, polled: readonly Poller[], commandFlags: string): readonly Finding[] {
  const check = 'version';
  const current = nameOf(versioningInfo?.currentDeploymentVersion);
  const ramping = nameOf(versioningInfo?.rampingDeploymentVersion);
  const polling = new Set(polled.map(({ deploymentOptions: of }) => (isVersioned(of) ? nameOf(of) : undefined)));
  if (current === undefined && ramping === undefined && [...polling].every((each) => each === undefined)) return [];
  const words = [...polling]
    .map((each) => each ?? 'no version')
    .toSorted()
    .join(', ');
  const seen = `runs begin with ${current ?? 'workers without a version'}${ramping === undefined ? '' : `, some with ${ramping}`}; there are workers of ${words}`;
  if (polling.has(current)) return [{ check, status: 'ok', seen }];
  const [name = '', build = ''] = [...polling].find((each) => each !== undefined)?.split(':') ?? [];
  // -y: without a terminal there is nobody to ask.
  const setCurrent = `temporal worker deployment set-current-version ${commandFlags} -y`;
  const mend =
    name === ''
      ? `give workers TURNKEEP_DEPLOYMENT_VERSION, or let runs begin with those that have none: ${setCurrent} --deployment-name ${current?.split(':')[0]} --unversioned`
      : `${setCurrent} --deployment-name ${name} --build-id ${build}, or start workers of the current version`;
  return [{ check, status: 'fault', seen: `${seen}: turns wait`, mend }];
}

/** `WORKER_VERSIONING_MODE_VERSIONED`, by its number or its name. */
function isVersioned(of: Poller['deploymentOptions']): boolean {
  return /^(?:2|WORKER_VERSIONING_MODE_VERSIONED)$/.test(String(of?.workerVersioningMode));
}

function nameOf(of: { readonly deploymentName?: string | null; readonly buildId?: string | null } | null | undefined): string | undefined {
  return of?.deploymentName ? `${of.deploymentName}:${of.buildId ?? ''}` : undefined;
}
