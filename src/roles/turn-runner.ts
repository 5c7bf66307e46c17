/** What runs turns, without Temporal's worker: for the worker role, and for the worker of an application's own (`plugin.ts`). */
import type { WorkflowClient } from '@temporalio/client';
import { RunningAttempts } from '../activities/attempt/running-attempts.ts';
import { createActivities } from '../activities/create-activities.ts';
import { WebhookSender } from '../activities/webhook/webhook-sender.ts';
import { AgentCalls, withEndsOfCalls } from '../client/agent-calls.ts';
import { Dispatcher } from '../client/dispatcher.ts';
import { childIdOf } from '../client/ids.ts';
import { startTurnWatcher, type TurnWatcher } from '../client/turn-watcher.ts';
import { Turnkeep } from '../client/turnkeep.ts';
import { withWebhooks } from '../client/webhooks.ts';
import { noAgents } from '../config/agent-config.ts';
import type { TurnActivities } from '../contract/activities.ts';
import { endpointFor } from '../domain/turn/webhook.ts';
import { observed } from '../metrics/observed-store.ts';
import { traced } from '../metrics/traces/traced-store.ts';
import type { CallAgent } from '../tools/agent-tool.ts';
import { createAgents } from './agents.ts';
import { startBreakers } from './breakers.ts';
import { createMetrics, logTurnEnd, webhookObserver } from './observers.ts';
import { ownTurns } from './own-turns.ts';
import { Providers } from './providers.ts';
import { stopAt, withStops } from './stops.ts';
import { traceparentsOf } from './tracing.ts';
import type { WorkerDeps } from './worker.ts';

/** Streams at once, of all tenants; one alone has half of them. */
const defaultMaxAttempts = 2_000;

export interface TurnRunner {
  readonly activities: TurnActivities;
  readonly attempts: RunningAttempts;
  readonly hasWebhooks: boolean;
  /** Looks after turns whose process is dead from now on. */
  start(): void;
  /** Takes no new attempts; those that run may end within the drain time. */
  drain(): Promise<void>;
  /** Drains, and closes what it has opened: the store is its caller's. */
  close(): Promise<void>;
}

type RunnerDeps = Omit<WorkerDeps, 'connection' | 'workflowBundle' | 'replaysAlways'> & {
  readonly workflows: WorkflowClient;
  /** See `DispatcherOptions`. */
  readonly isCurrentVersion?: () => boolean;
};

export function createTurnRunner({ config, workflows, store, log, ...options }: RunnerDeps): TurnRunner {
  const metrics = options.metrics ?? createMetrics(config);
  const withEvents = withWebhooks(
    observed(traced(store, { tracer: options.tracer, childIdOf }), { metrics, onTurnEnd: options.onTurnEnd ?? logTurnEnd(log) }),
    {
      startWebhook: (turn) => dispatcher.startWebhook(turn),
    },
  );
  const configured = options.agents ?? noAgents;
  const breakers = startBreakers({ config, agents: configured, store, log });
  const providers = new Providers(config, configured, breakers?.watched);
  const withoutStrays = withStops(
    withEvents,
    stopAt((name) => providers.of(name)),
  );
  const observedStore = withEndsOfCalls(withoutStrays, (turn) => calls.cancel(turn));
  const provider = providers.of('default');
  const callAgent: CallAgent = (...call) => calls.call(...call);
  const agents = { ...createAgents(configured, { providers, callAgent, log }), ...traceparentsOf(options.tracer) };
  const onError = (error: unknown): void => {
    log.error({ err: error }, 'an attempt ended in an error of our own');
  };
  const onReady = (turn: string): void => void dispatcher.runReady(turn);
  const attempts = new RunningAttempts({
    store: observedStore,
    provider,
    agents,
    limits: config.limits,
    ...(breakers === undefined ? {} : { breakers }),
    record: config.record,
    maxAttempts: options.maxAttempts ?? defaultMaxAttempts,
    onReady,
    onError,
  });
  const dispatcher = new Dispatcher({
    workflows,
    taskQueue: config.taskQueue,
    store: observedStore,
    limits: config.limits,
    isEager: true,
    isCurrentVersion: options.isCurrentVersion,
    ...(config.hasHeadStart ? { headStart: attempts } : {}),
  });
  const calls = new AgentCalls(observedStore, dispatcher, options.agents?.prices);
  const onForeignTurn = once(() => {
    const { namespace } = config.temporal;
    const way = "two deployments poll one task queue and take each other's turns: give each its own TURNKEEP_TASK_QUEUE";
    log.error({ taskQueue: config.taskQueue, namespace, database: store.databaseId }, way);
  });
  const webhooks =
    config.webhooks.length === 0
      ? undefined
      : {
          sender: new WebhookSender({ endpoints: config.webhooks }),
          onReport: webhookObserver({ metrics, log, onWebhook: options.onWebhook }),
        };
  const turnkeep = new Turnkeep({
    store: observedStore,
    dispatcher,
    quotas: config.quotas,
    providerRefusedForMs: breakers?.refusedForMs,
    hasTitles: config.titles.isOn,
    webhookEventsOf: (tenant) => endpointFor(config.webhooks, tenant)?.events ?? [],
  });
  const activities = createActivities({
    store: observedStore,
    acceptTurn: ownTurns({ config, agents: configured, store, turnkeep, hasWorkers: () => dispatcher.hasWorkers() }),
    provider,
    agents,
    attempts,
    onReady,
    onError: (error) => {
      log.error({ err: error }, 'an activity ended in an error of our own');
    },
    onForeignTurn,
    ...(webhooks === undefined ? {} : { webhooks }),
    ...(config.titles.model === undefined ? {} : { titleModel: config.titles.model }),
  });
  let watcher: TurnWatcher | undefined;
  let draining: Promise<void> | undefined;
  const drain = (): Promise<void> => (draining ??= attempts.drain(config.limits.drainMs));
  return {
    activities,
    attempts,
    hasWebhooks: webhooks !== undefined,
    start() {
      watcher = startTurnWatcher({
        store: observedStore,
        attempts,
        overdueMs: options.overdueMs,
        onReady,
        onError: (error) => {
          log.warn({ err: error }, 'a turn whose worker is lost or stands still could not be gone on with; trying again');
        },
      });
    },
    drain,
    async close() {
      watcher?.stop();
      await drain();
      breakers?.stop();
      await webhooks?.sender.close();
      await agents.toolBox[Symbol.asyncDispose]();
      await providers.close();
    },
  };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
