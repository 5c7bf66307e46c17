/** The links of a campaign do to real connections what their faults are called after. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { Link } from './proxy.ts';

interface Scene extends AsyncDisposable {
  readonly link: Link;
  /** Of a new connection: what the client has got, and what it sends comes back as an echo. */
  open(): Promise<{ readonly socket: Socket; readonly got: () => string; readonly end: Promise<string> }>;
  /** What the server has got. */
  readonly heard: () => string;
}

async function sceneOf(): Promise<Scene> {
  let heard = '';
  const echo = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      heard += chunk.toString();
      socket.write(chunk);
    });
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const link = await Link.open('client>echo', 'clients', (echo.address() as AddressInfo).port);
  const sockets: Socket[] = [];
  return {
    link,
    heard: () => heard,
    open: async () => {
      const socket = connect(link.port, '127.0.0.1');
      sockets.push(socket);
      let got = '';
      const { promise, resolve } = Promise.withResolvers<string>();
      socket.on('data', (chunk) => void (got += chunk.toString()));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on('close', () => resolve('closed'));
      await Promise.race([once(socket, 'connect').catch(() => undefined), promise]);
      return { socket, got: () => got, end: promise };
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await link.close();
      echo.close();
    },
  };
}

const forMs = 100;
const patienceMs = 60_000;

test('a link carries what is said, both ways and to its end', async () => {
  await using scene = await sceneOf();
  const { socket, got, end } = await scene.open();
  socket.write('hello');
  await until(() => got() === 'hello');
  socket.end();
  assert.equal(await end, 'closed');
});

test('a reset link resets the connections that it has, and takes new ones', async () => {
  await using scene = await sceneOf();
  const { socket, got, end } = await scene.open();
  socket.write('hello');
  await until(() => got() === 'hello');
  assert.equal(await scene.link.disturb('reset', { forMs, direction: 'up', patienceMs }), true);
  assert.equal(await end, 'ECONNRESET');
  const next = await scene.open();
  next.socket.write('again');
  await until(() => next.got() === 'again');
});

test('a link that is cut one way carries nothing that way, everything the other, and what it held once it heals', async () => {
  await using scene = await sceneOf();
  const { socket, got } = await scene.open();
  socket.write('a');
  await until(() => got() === 'a');
  const cut = scene.link.disturb('cut', { forMs: 300, direction: 'down', patienceMs });
  socket.write('b');
  await until(() => scene.heard() === 'ab');
  assert.equal(got(), 'a');
  assert.equal(await cut, true);
  await until(() => got() === 'ab');
});

test('a partition carries nothing, and refuses whoever comes', async () => {
  await using scene = await sceneOf();
  const { socket, got } = await scene.open();
  socket.write('a');
  await until(() => got() === 'a');
  const partition = scene.link.disturb('partition', { forMs: 300, direction: 'up', patienceMs });
  socket.write('b');
  const refused = await scene.open();
  assert.equal(await refused.end, 'ECONNRESET');
  assert.equal(scene.heard(), 'a');
  assert.equal(await partition, true);
  await until(() => got() === 'ab');
});

test('a slow link carries everything, later; one without traffic is felt by nobody', async () => {
  await using scene = await sceneOf();
  assert.equal(await scene.link.disturb('delay', { forMs, direction: 'up', patienceMs: 50 }), false);
  const { socket, got } = await scene.open();
  const slow = scene.link.disturb('delay', { forMs, direction: 'up', patienceMs });
  socket.write('hello');
  assert.equal(await slow, true);
  await until(() => got() === 'hello');
});
