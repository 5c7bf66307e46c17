/** One WebSocket within its bounds, on real sockets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { BodyBudget } from '../../../../src/gateway/http/body-budget.ts';
import { ClientSocket, socketLimits, type SocketLimits } from '../../../../src/gateway/responses/websocket/client-socket.ts';

const options = { timeout: 60_000 };
const mebibyte = 1024 * 1024;

interface Pair {
  readonly client: WebSocket;
  readonly served: ClientSocket;
  /** The server's end. */
  readonly socket: WebSocket;
  readonly raw: Socket;
  readonly budget: BodyBudget;
}

interface PairOptions {
  readonly limits?: Partial<SocketLimits>;
  readonly budgetBytes?: number;
  readonly client?: ClientOptions;
  readonly hasUntakenEnd?: () => Promise<boolean>;
}

async function pair(t: TestContext, given: PairOptions = {}): Promise<Pair> {
  const { limits, budgetBytes = 100 * mebibyte, hasUntakenEnd = async () => false } = given;
  const server: Server = createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const budget = new BodyBudget({ totalBytes: budgetBytes, tenantBytes: budgetBytes });
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { perMessageDeflate: false, ...given.client });
  const [socket, { socket: raw }] = (await once(sockets, 'connection')) as [WebSocket, { readonly socket: Socket }];
  const served = new ClientSocket({
    socket,
    raw,
    incoming: budget.open('me'),
    limits: { ...socketLimits, ...limits },
    hasUntakenEnd,
  });
  if (client.readyState !== client.OPEN) await once(client, 'open');
  client.on('error', () => undefined);
  t.after(() => {
    client.terminate();
    socket.terminate();
    sockets.close();
    server.close();
  });
  return { client, served, socket, raw, budget };
}

test('T14 · a flood whose answers are not read is not read further itself, and what waits is little', options, async (t) => {
  const { client, served, socket, raw } = await pair(t);
  const count = 60_000;
  const answer = 'x'.repeat(300);
  let mostUntaken = 0;
  socket.on('message', () => {
    served.send(answer);
    mostUntaken = Math.max(mostUntaken, raw.writableLength);
  });
  let answers = 0;
  const all = new Promise<void>((resolve) => {
    client.on('message', () => {
      answers += 1;
      if (answers === count) resolve();
    });
  });
  client.pause();
  const sent = new Promise<void>((resolve) => {
    for (let index = 0; index < count; index += 1) client.send('y'.repeat(1_000), index === count - 1 ? () => resolve() : undefined);
  });
  // The system has taken what it can hold; the rest stays with the client until it reads.
  await once(raw, 'pause');
  assert.ok(client.bufferedAmount > 0);
  client.resume();
  await Promise.all([sent, all]);
  assert.ok(mostUntaken < mebibyte, `${mostUntaken} bytes waited`);
});

test('T12 · a client that reads nothing is written no more than the system takes, and goes on where it was', options, async (t) => {
  const { client, served, raw } = await pair(t);
  const message = Buffer.alloc(64 * 1024, 'x');
  const count = 400;
  client.pause();
  const { signal } = new AbortController();
  let written = 0;
  let most = 0;
  const writing = (async () => {
    for (; written < count; written += 1) {
      const room = served.write([message], signal);
      most = Math.max(most, raw.writableLength);
      await room;
    }
  })();
  let seen = 0;
  const all = new Promise<void>((resolve) => {
    client.on('message', (data: Buffer) => {
      assert.equal(data.length, message.length);
      seen += 1;
      if (seen === count) resolve();
    });
  });
  while (!raw.writableNeedDrain) await new Promise(setImmediate);
  assert.ok(written < count);
  client.resume();
  await Promise.all([writing, all]);
  assert.ok(most < 2 * message.length + 64 * 1024, `${most} bytes were held back`);
});

test('a client that takes nothing of a response that is over is cut; while it runs it may pause', options, async (t) => {
  let looks = 0;
  const hasUntakenEnd = async (): Promise<boolean> => {
    looks += 1;
    return looks === 3;
  };
  const { client, served, socket, raw } = await pair(t, { limits: { unreadTimeoutMs: 20 }, hasUntakenEnd });
  client.pause();
  const { signal } = new AbortController();
  const message = Buffer.alloc(mebibyte, 'x');
  const writing = (async () => {
    while (!raw.destroyed) await Promise.race([served.write([message], signal), once(raw, 'close')]);
  })();
  await once(socket, 'close');
  await writing;
  assert.equal(looks, 3);
});

test('a client that takes nothing of a long answer that is no response’s is cut, and what it held is let go', options, async (t) => {
  const { client, served, socket } = await pair(t, { limits: { unreadTimeoutMs: 50 } });
  client.pause();
  const sent = served.sent('x'.repeat(32 * mebibyte));
  await once(socket, 'close');
  await sent;
});

test('T14 · a message is counted while it comes; what is too much at once closes the connection, and is let go', options, async (t) => {
  const { client, socket, budget } = await pair(t, { budgetBytes: mebibyte });
  const letGo = once(socket, 'close');
  client.send('z'.repeat(mebibyte / 2));
  client.send('z'.repeat(mebibyte / 2));
  client.ping();
  await once(client, 'pong');
  assert.equal(budget.heldBytes, 0, 'what is here is counted elsewhere');
  client.send('z'.repeat(4 * mebibyte));
  const [code] = (await once(client, 'close')) as [number];
  assert.equal(code, 1013);
  await letGo;
  assert.equal(budget.heldBytes, 0);
});

test('a message that does not come to its end within its time closes the connection', options, async (t) => {
  const { client, socket } = await pair(t, { limits: { messageTimeoutMs: 20 } });
  client.send('z'.repeat(200_000), { fin: false });
  await once(socket, 'close');
});

test('a client that sends nothing, not even pongs, is let go of; one that answers pings stays', options, async (t) => {
  const limits = { pingEveryMs: 10, deadAfterMs: 200 };
  const living = await pair(t, { limits });
  // Its system still takes what comes: only the pongs tell.
  const silent = await pair(t, { limits, client: { autoPong: false } });
  await once(silent.socket, 'close');
  assert.equal(living.socket.readyState, living.socket.OPEN);
});

test('what was written is known to have arrived by the pong behind it, or by a proper close', options, async (t) => {
  const { client, served } = await pair(t);
  const taken: string[] = [];
  const first = new Promise<void>((resolve) => {
    served.onTaken('one', () => {
      taken.push('one');
      resolve();
    });
  });
  await first;
  client.pause();
  served.onTaken('two', () => taken.push('two'));
  assert.deepEqual(taken, ['one']);
  served.closedProperly();
  served.closedProperly();
  assert.deepEqual(taken, ['one', 'two']);
});
