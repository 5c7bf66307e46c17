/** Worker, gateway or both in this process, from start to drained. */
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { AgentConfig } from '../config/agent-config.ts';
import type { Config } from '../config/config.ts';
import { explainListening } from './start-error.ts';
import { keepCompiled } from './compile-cache.ts';
import { openDatabase } from './open-database.ts';
import type { WebhookReport } from '../domain/turn/webhook.ts';
import type { EndedTurn } from '../metrics/observed-store.ts';
import { type MetricsServer, serveMetrics } from '../metrics/serve.ts';
import { type Dependency, watchAvailability } from '../roles/availability.ts';
import { createMetrics } from '../roles/observers.ts';
import { startGateway } from '../roles/gateway.ts';
import { findPage } from '../roles/page.ts';
import type { Store } from '../store/ports/store.ts';
import { startWorker } from '../roles/worker.ts';
import { bundleWorkflows } from '../roles/workflow-bundle.ts';
import { userCacheFolder } from '../config/user-cache.ts';
import { startTracer } from '../roles/tracing.ts';
import { untilAborted } from './stop-signal.ts';

export interface RolesOptions {
  readonly config: Config;
  readonly agents?: AgentConfig | undefined;
  readonly connection: NativeConnection;
  readonly log: Logger;
  readonly hasWorker: boolean;
  readonly hasGateway: boolean;
  /** Aborting it drains. */
  readonly signal: AbortSignal;
  /** Gets the end of each turn, which goes into the log otherwise. */
  readonly onTurnEnd?: ((turn: EndedTurn) => void) | undefined;
  /** Gets how the delivery of an event stands, which goes into the log otherwise. */
  readonly onWebhook?: ((report: WebhookReport) => void) | undefined;
  /** Gets the sentence when Temporal or the database is away, or back, which goes into the log as a warning otherwise. */
  readonly onNotice?: ((sentence: string) => void) | undefined;
  /** See `GatewayOptions`. */
  readonly temporalUi?: string | undefined;
  readonly onReady: (running: { readonly gatewayUrl?: string; readonly metricsPort?: number }) => void;
}

/**
 * Resolves when all is drained and closed, the connection too.
 * @throws when a role cannot start, or the worker ends by itself
 */
export async function runRoles({
  config,
  agents,
  connection,
  log,
  hasWorker,
  hasGateway,
  signal,
  onReady,
  onTurnEnd,
  onWebhook,
  onNotice,
  temporalUi,
}: RolesOptions): Promise<void> {
  const store = await openDatabase(config, log, signal);
  const tracer = await startTracer(config, log);
  const metrics = createMetrics(config, agents?.agents.keys());
  let metricsServer: MetricsServer | undefined;
  let worker: Awaited<ReturnType<typeof startWorker>> | undefined;
  let gateway: Awaited<ReturnType<typeof startGateway>> | undefined;
  let stopLooking: (() => void) | undefined;
  let isDraining = false;
  try {
    if (hasWorker) {
      const workflowBundle = await bundleWorkflows(config, { cacheFolder: userCacheFolder(process.env) });
      worker = await startWorker({ config, agents, connection, store, log, metrics, tracer, onTurnEnd, onWebhook, workflowBundle });
    }
    // Awaited below; a failure before that must not count as unhandled.
    worker?.stopped.catch(() => {});
    if (hasGateway)
      gateway = await startGateway({
        config,
        agents,
        connection,
        store,
        log,
        hasWorker,
        metrics,
        onTurnEnd,
        onWebhook,
        temporalUi,
        tracer,
        page: pageOf(log),
        ...(worker === undefined ? {} : { attempts: worker.attempts, isCurrentVersion: worker.isCurrentVersion }),
      });
    // A gateway serves the metrics on its own port.
    const { host, metricsPort: port } = config;
    if (!hasGateway && port !== undefined) metricsServer = await serveMetrics(metrics, { host, port });
    keepCompiled();
    onReady({
      ...(gateway === undefined ? {} : { gatewayUrl: gateway.url }),
      ...(metricsServer === undefined ? {} : { metricsPort: metricsServer.port }),
    });
    stopLooking = watchAvailability({
      dependencies: dependenciesOf(connection, store),
      onChange: (sentence, reason) => {
        if (onNotice === undefined) log.warn({ reason }, sentence);
        else onNotice(sentence);
      },
    });
    const endedByItself = worker?.stopped.then(() => {
      if (!isDraining) throw new Error('the worker ended by itself');
    });
    await Promise.race([untilAborted(signal), ...(endedByItself ? [endedByItself] : [])]);
  } catch (error) {
    // Whoever runs the command gets its message alone.
    log.debug({ err: error }, 'ended by an error');
    throw explainListening(error, config);
  } finally {
    isDraining = true;
    stopLooking?.();
    worker?.shutdown();
    // Viewers see the turns that still run to their end, and may come back to them: the doors close last.
    gateway?.drain();
    await Promise.allSettled([worker?.stopped]);
    await Promise.allSettled([gateway?.close()]);
    await metricsServer?.close();
    await tracer?.close();
    await connection.close().catch((error: unknown) => log.warn({ err: error }, 'the connection to Temporal could not be closed'));
    await store.close();
  }
}

/** It may still be built while the gateway serves the API. */
function pageOf(log: Logger): Promise<string> {
  const page = findPage();
  // The page's own place says it as well.
  page.catch((error: unknown) => log.warn({ err: error }, 'the page at / cannot be built'));
  return page;
}

function dependenciesOf(connection: NativeConnection, store: Store): readonly Dependency[] {
  return [
    {
      name: 'Temporal',
      meanwhile: 'answers that are being streamed go on, and turns are taken in; what needs it waits until it is back',
      lookEveryMs: 2_500,
      look: async () => connection.workflowService.getSystemInfo({}),
    },
    {
      name: 'the database',
      meanwhile: 'it is locked, or its disk is full; requests are answered 503, and nothing that was taken in is lost',
      // A look writes.
      lookEveryMs: 10_000,
      look: () => store.probe(),
    },
  ];
}
