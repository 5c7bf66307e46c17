/** Composition root of the worker role. */
import { type NativeConnection, Worker, type WorkerOptions, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { RunningAttempts } from '../activities/attempt/running-attempts.ts';
import { watchCurrentVersion } from '../client/current-version.ts';
import { titleQueueOf, webhookQueueOf } from '../contract/workflows.ts';
import { Client } from '@temporalio/client';
import { requireCodecKey } from './codec-key.ts';
import { createDataConverter } from '../codec/data-converter.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { Config } from '../config/config.ts';
import type { WebhookReport } from '../domain/turn/webhook.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { EndedTurn } from '../metrics/observed-store.ts';
import type { Tracer } from '../metrics/traces/exporter.ts';
import type { Store } from '../store/ports/store.ts';
import { startTracer } from './tracing.ts';
import { createTurnRunner } from './turn-runner.ts';
import { bundleWorkflows } from './workflow-bundle.ts';

export interface WorkerDeps {
  readonly config: Config;
  readonly connection: NativeConnection;
  readonly store: Store;
  readonly log: Logger;
  /** Of `turnkeep.config.ts`; none where nothing is said. */
  readonly agents?: AgentConfig | undefined;
  /** By `bundleWorkflows(config)`, which is called where it is missing; several workers of one process may share one. */
  readonly workflowBundle?: WorkflowBundleWithSourceMap;
  /** Those of the process, where there are several roles in it. */
  readonly metrics?: Metrics;
  /** The process's own, where it has several roles; one of this worker where nothing is said and the configuration has traces on. */
  readonly tracer?: Tracer | undefined;
  /** Gets the end of each turn, which goes into the log otherwise. */
  readonly onTurnEnd?: ((turn: EndedTurn) => void) | undefined;
  /** Gets how the delivery of an event stands after each request, which goes into the log otherwise. */
  readonly onWebhook?: ((report: WebhookReport) => void) | undefined;
  /** Streams at once, of all tenants; 2,000 by default. One tenant alone has half of them. */
  readonly maxAttempts?: number;
  /** Keeps no workflow in memory: every task of one replays its history. For tests. */
  readonly replaysAlways?: boolean;
  /** How long after the drain time work that was told to stop may take to end, ms; 5,000 by default. */
  readonly forceAfterMs?: number;
  /** How long Temporal may leave a request to nobody that is due, before this worker sends it regardless, ms; 1,000 by default. */
  readonly overdueMs?: number;
}

export interface TurnWorker {
  /** Resolves when the worker has drained; rejects when it failed. */
  readonly stopped: Promise<void>;
  /** For the gateway of the same process. */
  readonly attempts: RunningAttempts;
  /** Do runs begin with the version of this worker? For the gateway of the same process. */
  readonly isCurrentVersion: () => boolean;
  /** Takes no new turns; running streams may finish within the drain time. */
  shutdown(): void;
}

/** A turn that waits for room among its tenant's own streams holds a slot of Temporal's: there are more than streams. */
const activitySlots = 10_000;

/**
 * An eager start needs a slot: without one (40 by default, fewer than may be started in a burst) the first task of a workflow
 * costs Temporal's server three requests more, just when it has most to do.
 */
const workflowTaskSlots = 200;

/** For any worker that runs turns. */
export const workerSlots = {
  // A stream is mostly waiting; the default of 100 would make turns wait for each other.
  maxConcurrentActivityTaskExecutions: activitySlots,
  maxConcurrentWorkflowTaskExecutions: workflowTaskSlots,
  // Where the server cannot push a cancel, it comes with the answer to a heartbeat: 1.2 s at most (T5).
  maxHeartbeatThrottleInterval: '1s',
  defaultHeartbeatThrottleInterval: '1s',
  // A killed worker's next workflow task waits this long for it.
  stickyQueueScheduleToStartTimeout: '1s',
} as const;

/** Titles at once. */
const titleSlots = 4;

/** Webhooks at once; an endpoint has a quarter of them (`WebhookSender`), so that one that hangs does not hold up the others. */
const webhookSlots = 64;

/** A request to an endpoint that is under way at the worker's end may end within this; then it is made again elsewhere. */
const webhookGraceMs = 1_000;

/** Temporal cancels activities that still run after the drain time; this much later, where nothing else is said, the worker stops regardless. */
const forceAfterDrainMs = 5_000;

/**
 * The worker role: runs turns until it is shut down. Rejects when Temporal refuses it.
 *
 * @example
 *     import { NativeConnection } from '@temporalio/worker';
 *     import { pino } from 'pino';
 *     import { openSqliteStore } from 'turnkeep/client';
 *     import { readConfig } from 'turnkeep/config';
 *     import { startWorker } from 'turnkeep/worker';
 *
 *     const connection = await NativeConnection.connect({ address: '127.0.0.1:7233' });
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const worker = await startWorker({ config: readConfig({ env: process.env }), connection, store, log: pino() });
 *     await worker.stopped;
 */
export async function startWorker({ config, connection, ...deps }: WorkerDeps): Promise<TurnWorker> {
  const { log, forceAfterMs = forceAfterDrainMs, ...options } = deps;
  const { drainMs } = config.limits;
  await requireCodecKey(deps.store, config.codecKeys);
  const dataConverter = createDataConverter(config.codecKeys, (message) => log.error(message), { checksPlace: true });
  const { workflow: workflows } = new Client({ connection, namespace: config.temporal.namespace, dataConverter });
  const ownTracer = deps.tracer === undefined ? await startTracer(config, log) : undefined;
  const version = watchCurrentVersion({ workflows, taskQueue: config.taskQueue, deployment: config.deployment });
  const { isOurs: isCurrentVersion } = version;
  const runner = createTurnRunner({ ...deps, tracer: deps.tracer ?? ownTracer, config, workflows, isCurrentVersion });
  const { activities, attempts, hasWebhooks } = runner;
  const common = {
    connection,
    namespace: config.temporal.namespace,
    dataConverter,
    ...versioning(config),
    shutdownGraceTime: drainMs,
    shutdownForceTime: drainMs + forceAfterMs,
  };
  const worker = await Worker.create({
    ...common,
    taskQueue: config.taskQueue,
    workflowBundle: options.workflowBundle ?? (await bundleWorkflows(config)),
    activities,
    ...workerSlots,
    // Without a cache, a second task at the same time would drop the local activity of the first.
    ...(options.replaysAlways === true
      ? { maxCachedWorkflows: 0, maxConcurrentWorkflowTaskExecutions: 1, maxConcurrentWorkflowTaskPolls: 1 }
      : {}),
  });
  const workers = [worker];
  if (config.titles.isOn) {
    const { writeTitle } = activities;
    const own = { taskQueue: titleQueueOf(config.taskQueue), activities: { writeTitle } };
    const slots = { maxConcurrentActivityTaskExecutions: titleSlots, maxConcurrentActivityTaskPolls: 1 };
    workers.push(await Worker.create({ ...common, ...own, ...slots }));
  }
  if (hasWebhooks) {
    const { deliverWebhook } = activities;
    const own = { taskQueue: webhookQueueOf(config.taskQueue), activities: { deliverWebhook } };
    const slots = { maxConcurrentActivityTaskExecutions: webhookSlots, maxConcurrentActivityTaskPolls: 2 };
    workers.push(await Worker.create({ ...common, ...own, ...slots, shutdownGraceTime: Math.min(drainMs, webhookGraceMs) }));
  }
  runner.start();
  // Also where Temporal's worker failed by itself: its streams need nothing of it.
  const stopped = runUntilStopped(workers, async () => {
    version.stop();
    await runner.close();
    await ownTracer?.close();
  });
  log.info({ taskQueue: config.taskQueue }, 'worker polls');
  return {
    stopped,
    attempts,
    isCurrentVersion,
    shutdown() {
      if (worker.getState() !== 'RUNNING') return;
      shutDown(workers);
      void runner.drain();
    },
  };
}

/** A run of an older version goes on by the current one, whose code replays its history (T10): none is pinned to workers that end. */
function versioning({ deployment }: Config): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  if (deployment === undefined) return {};
  const { name: deploymentName, version: buildId } = deployment;
  const version = { deploymentName, buildId };
  return { workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'AUTO_UPGRADE' } };
}

/** One that fails takes the others with it. */
async function runUntilStopped(workers: readonly Worker[], close: () => Promise<void>): Promise<void> {
  const runs = workers.map(async (worker) => runOne(worker));
  try {
    await Promise.all(runs);
  } finally {
    shutDown(workers);
    await Promise.allSettled(runs);
    await close();
  }
}

/**
 * A worker that has done all its work has stopped, whatever freeing its native half throws: a call into it that has answered in
 * this very moment may still refer to it ("Worker still in use").
 */
async function runOne(worker: Worker): Promise<void> {
  try {
    await worker.run();
  } catch (error) {
    if (worker.getState() !== 'STOPPED') throw error;
  }
}

function shutDown(workers: readonly Worker[]): void {
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
}
