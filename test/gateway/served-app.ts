/** The gateway's application on a port of its own, without Temporal: for what is decided before a turn is accepted. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { Client, Connection } from '@temporalio/client';
import { Dispatcher } from '../../src/client/dispatcher.ts';
import { Turnkeep } from '../../src/client/turnkeep.ts';
import { type AppDeps, createApp } from '../../src/gateway/app.ts';
import { createExporter } from '../../src/history/export-turn.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { temporaryDatabase } from '../store/temporary.ts';

export type App = ReturnType<typeof createApp>;

/** Its database is deleted behind the test. */
export function appFor(t: TestContext, deps: Partial<AppDeps> = {}): App {
  const database = temporaryDatabase();
  t.after(() => database[Symbol.asyncDispose]());
  const store = database.open();
  // Nothing here is handed over, so nothing connects.
  const connection = Connection.lazy({ address: '127.0.0.1:1' });
  const { workflow: workflows } = new Client({ connection });
  const limits = { heartbeatTimeoutMs: 1_000, turnTimeoutMs: 1_000 };
  const dispatcher = new Dispatcher({ workflows, taskQueue: 'none', store, limits, isEager: false });
  const turnkeep = new Turnkeep({ store, dispatcher });
  return createApp({
    turnkeep,
    exportTurn: createExporter({
      store,
      turnkeep,
      version: '0.0.0',
      readHistories: async () => ({ missing: 'there is no Temporal here' }),
    }),
    version: '0.0.0',
    providerApi: 'responses',
    apiKeys: [],
    keys: store,
    requiresKey: false,
    requestsPerSecond: 0,
    maxBodyBytesAtOnce: 100_000_000,
    corsOrigins: [],
    defaultModel: undefined,
    countTokens: async () => ({ type: 'unknown' }),
    listModels: async () => ({ type: 'listed', ids: [] }),
    isDraining: () => false,
    unreadyReasons: async () => [],
    metrics: async () => ({ contentType: 'text/plain', text: '' }),
    onRequestEnd: () => undefined,
    onError: (error) => {
      throw error;
    },
    ...deps,
  });
}

/** @returns its URL */
export async function serve(t: TestContext, app: App): Promise<string> {
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createHttpServer((incoming, outgoing) => void listener(incoming, outgoing));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
