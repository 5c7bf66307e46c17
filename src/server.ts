/** Composition root of the gateway role. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { Delivery } from './client/delivery.ts';
import { startSweep } from './client/sweep.ts';
import { Turnkeep } from './client/turnkeep.ts';
import type { Config } from './config.ts';
import { createApp } from './gateway/app.ts';
import { createReadiness } from './client/readiness.ts';
import { createProvider } from './providers/create-provider.ts';
import type { Store } from './store/store.ts';

export interface GatewayDeps {
  readonly config: Config;
  readonly connection: NativeConnection;
  readonly store: Store;
  readonly log: Logger;
  /** A worker polls over the same connection, so turns may start eagerly. */
  readonly hasWorker?: boolean;
  /** How long a stream is silent before a comment is sent; 15 s unless told. */
  readonly idleCommentMs?: number | undefined;
}

export interface Gateway {
  readonly url: string;
  /** Takes no new requests, lets running ones end within the drain time, then cuts them: viewers resume elsewhere. */
  close(): Promise<void>;
}

export async function startGateway({ config, connection, store, log, hasWorker = false, idleCommentMs }: GatewayDeps): Promise<Gateway> {
  const client = new Client({ connection, namespace: config.temporal.namespace });
  const delivery = new Delivery({ workflows: client.workflow, taskQueue: config.taskQueue, isEager: hasWorker });
  const provider = createProvider({ ...config.provider, limits: config.limits });
  const app = createApp({
    turnkeep: new Turnkeep({ store, delivery }),
    apiKeys: config.apiKeys,
    defaultModel: config.provider.model,
    idleCommentMs,
    listModels: () => provider.listModels(AbortSignal.timeout(config.limits.connectTimeoutMs)),
    unready: createReadiness({ client, store, namespace: config.temporal.namespace, taskQueue: config.taskQueue }),
    onError: (error, requestId) => {
      log.error({ err: error, requestId }, 'request failed');
    },
  });
  const sweep = startSweep({
    store,
    delivery,
    onError: (error) => {
      log.warn({ err: error }, 'turns could not be handed over to Temporal; trying again');
    },
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer({ noDelay: true, keepAliveTimeout: 75_000, requestTimeout: 0 }, (incoming, outgoing) => {
    void listener(incoming, outgoing);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    async close() {
      sweep.stop();
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      server.closeIdleConnections();
      const cut = setTimeout(() => {
        server.closeAllConnections();
      }, config.limits.drainMs);
      await closed;
      clearTimeout(cut);
      await provider.close();
    },
  };
}
