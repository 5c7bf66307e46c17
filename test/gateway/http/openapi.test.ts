/** The description against the routes that are really there. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { Client, Connection } from '@temporalio/client';
import { Dispatcher } from '../../../src/client/dispatcher.ts';
import { Turnkeep } from '../../../src/client/turnkeep.ts';
import { createApp } from '../../../src/gateway/app.ts';
import { createHttpServer } from '../../../src/http/server.ts';
import { temporaryDatabase } from '../../store/temporary.ts';

type Operations = { readonly [method: string]: { readonly operationId: string; readonly security?: unknown } };
interface Description {
  readonly paths: { readonly [path: string]: Operations };
}

const database = temporaryDatabase();
after(() => database[Symbol.asyncDispose]());

function appOf() {
  const store = database.open();
  // Nothing here is handed over, so nothing connects.
  const connection = Connection.lazy({ address: '127.0.0.1:1' });
  const { workflow: workflows } = new Client({ connection });
  const limits = { heartbeatTimeoutMs: 1_000, turnTimeoutMs: 1_000 };
  const dispatcher = new Dispatcher({ workflows, taskQueue: 'none', store, limits, isEager: false });
  return createApp({
    turnkeep: new Turnkeep({ store, dispatcher }),
    version: '0.0.0',
    providerApi: 'responses',
    apiKeys: [{ name: 'one', hash: '00' }],
    requestsPerSecond: 0,
    maxBodyBytesAtOnce: 1_000_000,
    corsOrigins: [],
    defaultModel: undefined,
    listModels: async () => [],
    isDraining: () => false,
    unreadyReasons: async () => [],
    metrics: async () => ({ contentType: 'text/plain', text: '' }),
    onRequestEnd: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
}

async function descriptionOf(app: ReturnType<typeof appOf>): Promise<Description> {
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createHttpServer((incoming, outgoing) => void listener(incoming, outgoing));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    return (await (await fetch(`http://127.0.0.1:${port}/openapi.json`)).json()) as Description;
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test('every route is described, once, and nothing else is', async () => {
  const app = appOf();
  const description = await descriptionOf(app);
  const described = Object.entries(description.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const registered = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replaceAll(/:([a-z]+)/g, '{$1}')}`);
  // What is under /v1 answers without it too.
  const home = (route: string): string => {
    const atV1 = route.replace(' /', ' /v1/');
    return described.includes(atV1) ? atV1 : route.replace(/ \/v1(?=\/(?:api|turns)\/)/, ' ');
  };
  assert.deepEqual([...new Set(registered.map(home))].toSorted(), described.toSorted());

  const ids = Object.values(description.paths).flatMap((operations) => Object.values(operations).map(({ operationId }) => operationId));
  assert.equal(new Set(ids).size, ids.length);
});

test('every reference of the description leads somewhere in it', async () => {
  const description = await descriptionOf(appOf());
  const references = [...JSON.stringify(description).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
  assert.ok(references.length > 0);
  for (const path of new Set(references)) {
    const found = path.split('/').reduce<unknown>((at, key) => (at as { [key: string]: unknown } | undefined)?.[key], description);
    assert.ok(found !== undefined, path);
  }
});

test('what asks for a key says so, wherever it is', async () => {
  const { paths } = await descriptionOf(appOf());
  const open = Object.entries(paths).filter(([, operations]) => Object.values(operations).some(({ security }) => security === undefined));
  assert.deepEqual(open.map(([path]) => path).toSorted(), ['/', '/docs', '/healthz', '/metrics', '/openapi.json', '/readyz']);
});
