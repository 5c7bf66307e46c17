/** The links of a campaign do to real connections what their faults are called after. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import type { WeatherWord } from './plan.ts';
import { Link } from './proxy.ts';
import type { Weather } from './weather.ts';

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

/** Weather of one kind, for every chunk. */
function everyChunk(word: WeatherWord, forMs: number): Pick<Weather, 'meet'> {
  return { meet: () => ({ word, part: 0.5, forMs }) };
}

test('a chunk that is late is carried in two pieces, in its order, and felt once for each that was', async () => {
  await using scene = await sceneOf();
  const felt: WeatherWord[] = [];
  const { socket, got } = await scene.open();
  scene.link.expose(everyChunk('late', 100), (word) => felt.push(word));
  socket.write('hello');
  await until(() => scene.heard() === 'he');
  socket.write(' there');
  await until(() => got() === 'hello there');
  assert.ok(felt.length >= 4, felt.join());
  scene.link.shelter();
  const before = felt.length;
  socket.write('!');
  await until(() => got() === 'hello there!');
  assert.equal(felt.length, before);
});

test('weather resets the one connection whose chunk meets it, behind a part of that, and no other', async () => {
  await using scene = await sceneOf();
  const felt: WeatherWord[] = [];
  const [struck, spared] = [await scene.open(), await scene.open()];
  spared.socket.write('a');
  await until(() => spared.got() === 'a');
  scene.link.expose(everyChunk('reset', 20), (word) => felt.push(word));
  struck.socket.write('hello');
  assert.equal(await struck.end, 'ECONNRESET');
  assert.deepEqual(felt, ['reset']);
  assert.ok(!scene.heard().includes('hello'));
  scene.link.shelter();
  spared.socket.write('b');
  await until(() => spared.got() === 'ab');
});

test('a chunk that is held for somebody who has gone was felt by nobody', async () => {
  await using scene = await sceneOf();
  const felt: WeatherWord[] = [];
  const { socket, end } = await scene.open();
  scene.link.expose(everyChunk('held', 200), (word) => felt.push(word));
  socket.write('hello');
  await until(() => scene.heard() === 'he');
  socket.resetAndDestroy();
  await end;
  // Its own byte is held once on each way, behind the time at which the other's would have been carried.
  const next = await scene.open();
  next.socket.write('!');
  await until(() => next.got() === '!');
  assert.deepEqual(felt, ['held', 'held']);
  assert.equal(scene.heard(), 'he!');
});
