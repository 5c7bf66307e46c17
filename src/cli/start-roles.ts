/** Worker, gateway or both in this process, from start to drained. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { sqlitePath, type Config } from '../config/config.ts';
import { Metrics } from '../metrics/metrics.ts';
import { type MetricsServer, serveMetrics } from '../metrics/serve.ts';
import { startGateway } from '../roles/gateway.ts';
import { openSqliteStore } from '../store/sqlite/open-store.ts';
import { startWorker } from '../roles/worker.ts';
import { aborted } from './stop-signals.ts';

export interface RolesOptions {
  readonly config: Config;
  readonly connection: NativeConnection;
  readonly log: Logger;
  readonly hasWorker: boolean;
  readonly hasGateway: boolean;
  /** Aborting it drains. */
  readonly signal: AbortSignal;
  readonly onReady: (running: { readonly gatewayUrl?: string; readonly metricsPort?: number }) => void;
}

/**
 * Resolves when all is drained and closed, the connection too.
 * @throws when a role cannot start, or the worker ends unasked
 */
export async function runRoles({ config, connection, log, hasWorker, hasGateway, signal, onReady }: RolesOptions): Promise<void> {
  const path = sqlitePath(config.databaseUrl);
  mkdirSync(dirname(path), { recursive: true });
  const store = openSqliteStore(path);
  const metrics = new Metrics();
  let metricsServer: MetricsServer | undefined;
  let worker: Awaited<ReturnType<typeof startWorker>> | undefined;
  let gateway: Awaited<ReturnType<typeof startGateway>> | undefined;
  let isDraining = false;
  try {
    if (hasWorker) worker = await startWorker({ config, connection, store, log, metrics });
    // Its failure is waited for below; until then it must not count as unhandled.
    worker?.stopped.catch(() => {});
    if (hasGateway) gateway = await startGateway({ config, connection, store, log, hasWorker, metrics });
    // A gateway has them on its own port.
    const { host, metricsPort: port } = config;
    if (!hasGateway && port !== undefined) metricsServer = await serveMetrics(metrics, { host, port });
    onReady({
      ...(gateway === undefined ? {} : { gatewayUrl: gateway.url }),
      ...(metricsServer === undefined ? {} : { metricsPort: metricsServer.port }),
    });
    const endedUnasked = worker?.stopped.then(() => {
      if (!isDraining) throw new Error('the worker ended by itself');
    });
    await Promise.race([aborted(signal), ...(endedUnasked ? [endedUnasked] : [])]);
  } finally {
    isDraining = true;
    worker?.shutdown();
    // Together: viewers see the turns that are still running to their end.
    await Promise.allSettled([worker?.stopped, gateway?.close()]);
    await metricsServer?.close();
    await connection.close().catch((error: unknown) => log.warn({ err: error }, 'the connection to Temporal could not be closed'));
    await store.close();
  }
}
