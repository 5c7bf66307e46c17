/** A Temporal that takes connections and does not answer: calls to it end, and what they were for is asked for again. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { Dispatcher } from '../../src/client/dispatcher.ts';
import { startSweep } from '../../src/client/sweep.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';
import { sharedTemporalServer } from '../support/temporal-server.ts';
import { until } from '../support/until.ts';

const options = { timeout: 60_000 };
const taskQueue = `silent-${crypto.randomUUID()}`;

interface Line {
  readonly address: string;
  /** Bytes still go in, and none comes back. */
  fallSilent(): void;
  speak(): void;
}

/** In front of Temporal, or of nobody. */
async function lineTo(context: TestContext, target?: { readonly host: string; readonly port: number }): Promise<Line> {
  let isSilent = false;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const both = target === undefined || isSilent ? [near] : [near, connect(target)];
    for (const socket of both) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => both.forEach((each) => each.destroy()));
    }
    const [, far] = both;
    near.on('data', (bytes) => {
      if (!isSilent) far?.write(bytes);
    });
    far?.on('data', (bytes) => {
      if (!isSilent) near.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    fallSilent() {
      isSilent = true;
    },
    // Whatever was lost in between has broken the connections that were open.
    speak() {
      isSilent = false;
      for (const socket of sockets) socket.destroy();
    },
  };
}

function dispatcherOf(client: Client, store: Store, answerTimeoutMs: number): Dispatcher {
  const limits = { heartbeatTimeoutMs: 1_000, turnTimeoutMs: 1_000 };
  return new Dispatcher({ workflows: client.workflow, taskQueue, store, limits, isEager: false, answerTimeoutMs });
}

test('each call to a Temporal that never answers ends in an error', options, async (context) => {
  await using database = temporaryDatabase();
  const { address } = await lineTo(context);
  const connection = Connection.lazy({ address });
  context.after(() => connection.close());
  const dispatcher = dispatcherOf(new Client({ connection }), database.open(), 50);
  const calls = await Promise.allSettled([
    dispatcher.start('resp_a'),
    dispatcher.startTitle({ session: 'conv_a', turn: 'resp_a' }),
    dispatcher.cancel('resp_a'),
    dispatcher.isRunning('resp_a'),
    dispatcher.runReady('resp_a'),
  ]);
  assert.deepEqual(
    calls.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected', 'rejected', 'fulfilled'],
  );
});

test('a turn that was accepted while Temporal took calls and answered none runs once it answers again', options, async (context) => {
  const temporal = await sharedTemporalServer();
  const [host = '', port] = temporal.address.split(':');
  const line = await lineTo(context, { host, port: Number(port) });
  const connection = await NativeConnection.connect({ address: line.address });
  context.after(() => connection.close());
  const client = new Client({ connection, namespace: temporal.namespace });
  await using database = temporaryDatabase();
  const store = database.open();
  // Whoever took it in is gone.
  const id = `resp_${crypto.randomUUID().replaceAll('-', '')}`;
  await store.insertTurn(newTurn(id));
  line.fallSilent();
  const failures = Promise.withResolvers<unknown>();
  const sweep = startSweep({
    store,
    dispatcher: dispatcherOf(client, store, 500),
    retentionDays: 30,
    cancel: async () => {},
    onError: failures.resolve,
  });
  context.after(() => sweep.stop());
  assert.ok((await failures.promise) instanceof Error);
  assert.equal((await store.readTurn(id))?.isDispatched, false);
  line.speak();
  await until(async () => (await store.readTurn(id))?.isDispatched === true);
  await client.workflow.getHandle(`turn/${id}`).terminate();
});
