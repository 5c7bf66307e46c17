/** Composition root of the gateway role. */
import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { withEndsOfCalls } from '../client/agent-calls.ts';
import { Dispatcher } from '../client/dispatcher.ts';
import { childIdOf } from '../client/ids.ts';
import type { LocalAttempts } from '../client/local-attempts.ts';
import { startTurnWatcher } from '../client/turn-watcher.ts';
import { startSweep } from '../client/sweep.ts';
import { Turnkeep } from '../client/turnkeep.ts';
import { withWebhooks } from '../client/webhooks.ts';
import { createDataConverter } from '../codec/data-converter.ts';
import { type AgentConfig, noAgents } from '../config/agent-config.ts';
import { type Config, readVersion } from '../config/config.ts';
import { createApp, createListener } from '../gateway/app.ts';
import { FairQueue } from '../gateway/http/fair-queue.ts';
import { loopClock } from '../gateway/http/loop-clock.ts';
import { ViewerLog } from '../gateway/stream/viewer-log.ts';
import { OpenConnections } from '../gateway/responses/websocket/route.ts';
import { readTemporalEvents } from '../history/temporal-events.ts';
import { isAway } from './availability.ts';
import { createReadiness } from '../client/readiness.ts';
import { createExporter } from '../history/export-turn.ts';
import { createHistoryReader } from '../history/read-histories.ts';
import { createHttpServer, listen, OpenResponses } from '../http/server.ts';
import type { EndedRequest } from '../http/ended-request.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Tracer } from '../metrics/traces/exporter.ts';
import { requestSpan } from '../metrics/traces/request-span.ts';
import { traced } from '../metrics/traces/traced-store.ts';
import { type EndedTurn, observed } from '../metrics/observed-store.ts';
import { reattachPatienceMs } from '../domain/turn/kept-response.ts';
import { endpointFor, type WebhookReport } from '../domain/turn/webhook.ts';
import type { Store } from '../store/ports/store.ts';
import { agentDirectory } from './agents.ts';
import { startBreakers } from './breakers.ts';
import { requireCodecKey } from './codec-key.ts';
import { countTokens, listModels } from './provider-answers.ts';
import { Providers } from './providers.ts';
import { requestFailures } from './request-failures.ts';
import { stopAt, withStops } from './stops.ts';
import { createMetrics, logTurnEnd, webhookObserver } from './observers.ts';
import { startTracer } from './tracing.ts';

export interface GatewayOptions {
  readonly config: Config;
  readonly connection: NativeConnection;
  readonly store: Store;
  readonly log: Logger;
  /** Of `turnkeep.config.ts`; none where nothing is said. */
  readonly agents?: AgentConfig | undefined;
  /** A worker polls over the same connection, so turns may start eagerly. */
  readonly hasWorker?: boolean;
  /** Of the worker of this process: requests are sent while Temporal starts the workflow. */
  readonly attempts?: LocalAttempts;
  /** Of the same worker: turns start eagerly only while its version is the current one. */
  readonly isCurrentVersion?: () => boolean;
  /** The process's own, where it has several roles. */
  readonly metrics?: Metrics;
  /** The process's own, where it has several roles; one of this gateway where nothing is said and the configuration has traces on. */
  readonly tracer?: Tracer | undefined;
  /** Gets the end of each turn, which goes into the log otherwise. */
  readonly onTurnEnd?: ((turn: EndedTurn) => void) | undefined;
  /** Gets how the delivery of an event stands, which goes into the log otherwise. */
  readonly onWebhook?: ((report: WebhookReport) => void) | undefined;
  /** In what order requests are taken in that make turns; by the event loop of this process where nothing is said. */
  readonly fairQueue?: FairQueue | undefined;
  /** How long a stream is silent before a comment is sent; 15 s by default. */
  readonly idleCommentMs?: number | undefined;
  /** Where Temporal's UI shows the runs of the namespace, such as `http://127.0.0.1:8233/namespaces/default`: `/turns` links to them. */
  readonly temporalUi?: string | undefined;
  /** The folder of the page at `/`, once it is built: see `findPage`. Absent: there is none. */
  readonly page?: Promise<string> | undefined;
}

export interface Gateway {
  readonly url: string;
  /** Takes in no new turns from now on (503), and says so at `/readyz`; running streams, and resumes, are served. */
  drain(): void;
  /** Drains, lets running requests end within the drain time, which began with `drain`, and cuts the rest: viewers resume elsewhere. */
  close(): Promise<void>;
}

const version = readVersion();

const idleCheckMs = 50;

/** How long streams get their ends even where the drain is over. */
const lastWordsMs = 1_000;
/** Logged at level debug: machines call them every few seconds. */
const probes = new Set(['/healthz', '/readyz', '/metrics']);

/**
 * The gateway role: the HTTP API, and the sweep. Rejects when it cannot listen.
 *
 * @example
 *     import { NativeConnection } from '@temporalio/worker';
 *     import { pino } from 'pino';
 *     import { openSqliteStore, readConfig, startGateway } from 'turnkeep';
 *
 *     const config = readConfig({ env: process.env });
 *     const connection = await NativeConnection.connect({ address: '127.0.0.1:7233' });
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const gateway = await startGateway({ config, connection, store, log: pino() });
 *     process.once('SIGTERM', () => void gateway.close());
 */
export async function startGateway({
  config,
  connection,
  log,
  hasWorker = false,
  idleCommentMs,
  ...deps
}: GatewayOptions): Promise<Gateway> {
  await requireCodecKey(deps.store, config.codecKeys);
  const metrics = deps.metrics ?? createMetrics(config);
  const ownTracer = deps.tracer === undefined ? await startTracer(config, log) : undefined;
  const tracer = deps.tracer ?? ownTracer;
  const observedStore = observed(traced(deps.store, { tracer, childIdOf }), {
    metrics,
    onTurnEnd: deps.onTurnEnd ?? logTurnEnd(log),
  });
  const onRequestEnd = (request: EndedRequest): void => {
    metrics.requestEnded(request);
    const isProbe = probes.has(request.route);
    log[isProbe ? 'debug' : 'info'](request, 'request');
    if (!isProbe) tracer?.record([requestSpan(request, Date.now())]);
  };
  const client = new Client({
    connection,
    namespace: config.temporal.namespace,
    dataConverter: createDataConverter(config.codecKeys, (message) => log.error(message), { checksPlace: true }),
  });
  const dispatcher = new Dispatcher({
    workflows: client.workflow,
    taskQueue: config.taskQueue,
    store: observedStore,
    limits: config.limits,
    isEager: hasWorker,
    isCurrentVersion: deps.isCurrentVersion,
    ...(deps.attempts !== undefined && config.hasHeadStart ? { headStart: deps.attempts } : {}),
  });
  const { agents = noAgents } = deps;
  const providers = new Providers(config, agents);
  const breakers = startBreakers({ config, agents, store: deps.store, log });
  const stop = stopAt((name) => providers.of(name));
  const store = withEndsOfCalls(withStops(withWebhooks(observedStore, dispatcher), stop), (turn) => turnkeep.finishCancel(turn));
  let drainingSince: number | undefined;
  const isDraining = (): boolean => drainingSince !== undefined;
  const connections = new OpenConnections();
  const { fairQueue = new FairQueue({ loopClock, onWaited: (ms) => metrics.requestWaited(ms) }) } = deps;
  metrics.attachQueue(fairQueue);
  const drain = (): void => {
    drainingSince ??= performance.now();
    connections.drain();
    fairQueue.open();
  };
  const responses = new OpenResponses();
  const provider = providers.of('default');
  const viewers = new ViewerLog({
    write: (rows) => store.noteViewers(rows),
    onError: (error) => {
      log.debug({ err: error }, 'who follows which turn could not be noted');
    },
  });
  const turnkeep = new Turnkeep({
    store: { ...store, readViewers: async (turn) => viewers.newest(turn, await store.readViewers(turn)) },
    dispatcher,
    quotas: config.quotas,
    providerRefusedForMs: breakers?.refusedForMs,
    hasTitles: config.titles.isOn,
    webhookEventsOf: (tenant) => endpointFor(config.webhooks, tenant)?.events ?? [],
  });
  const app = createApp({
    turnkeep,
    viewers,
    version,
    providerApi: config.provider.api,
    apiKeys: config.apiKeys,
    keys: store,
    requiresKey: config.requiresKey,
    requestsPerSecond: config.quotas.requestsPerSecond,
    ...config.intake,
    corsOrigins: config.corsOrigins,
    defaultModel: config.provider.model,
    idleCommentMs,
    connections,
    fairQueue,
    temporalUi: deps.temporalUi,
    page: deps.page,
    readTemporal: (turn) => readTemporalEvents(client, turn),
    exportTurn: createExporter({ store, turnkeep, readHistories: createHistoryReader(client), version, temporalUi: deps.temporalUi }),
    countTokens: async (request) => {
      const asked = providers.of(request.settings.agent?.provider ?? 'default');
      return countTokens(asked, request, config.limits.connectTimeoutMs);
    },
    agentNames: [...agents.agents.keys()],
    agents: agentDirectory(agents, config),
    listModels: () => listModels(provider, config.limits.connectTimeoutMs),
    isDraining,
    unreadyReasons: createReadiness({ client, store, namespace: config.temporal.namespace, taskQueue: config.taskQueue }),
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
    onRequestEnd,
    onError: requestFailures(log),
  });
  const listener = createListener(app);
  const server = createHttpServer((incoming, outgoing) => {
    // Probes do not keep a gateway from its end.
    if (!probes.has(incoming.url?.split('?', 1)[0] ?? '')) responses.add(outgoing);
    if (isDraining()) outgoing.shouldKeepAlive = false;
    listener(incoming, outgoing);
  });
  const { port } = await listen(server, {
    host: config.host,
    port: config.port,
    onError: (error) => {
      log.error({ err: error }, 'a connection could not be accepted');
    },
  });
  const sweep = startSweep({
    store,
    dispatcher,
    retentionDays: config.retentionDays,
    cancel: (turn) => turnkeep.finishCancel(turn),
    onWebhook: webhookObserver({ metrics, log, onWebhook: deps.onWebhook }),
    onError: (error) => {
      log[isAway(error) ? 'debug' : 'warn']({ err: error }, 'turns could not be handed over to Temporal; trying again');
    },
  });
  const watcher = startTurnWatcher({
    store,
    // Of its worker there is another watcher, which reads them on.
    keptForMs: reattachPatienceMs({ hasWorker }),
    onReady: (turn) => void dispatcher.runReady(turn),
    onError: (error) => {
      log.warn({ err: error }, 'a turn whose worker is lost could not be ended; trying again');
    },
  });
  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    drain,
    async close() {
      drain();
      const drainUntil = (drainingSince ?? 0) + config.limits.drainMs;
      // The ends that a worker of this process wrote at the end of the drain are still on their way to their viewers.
      const leftMs = (): number => Math.max(lastWordsMs, drainUntil - performance.now());
      await responses.untilNone(leftMs());
      sweep.stop();
      breakers?.stop();
      watcher.stop();
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      // A connection becomes idle when its response ends. Clients and proxies would keep it open as long as they may.
      const idle = setInterval(() => {
        server.closeIdleConnections();
      }, idleCheckMs);
      server.closeIdleConnections();
      const cut = setTimeout(() => {
        server.closeAllConnections();
        connections.cut();
      }, leftMs());
      await closed;
      clearTimeout(cut);
      clearInterval(idle);
      await viewers.flush();
      await providers.close();
      await ownTracer?.close();
    },
  };
}
