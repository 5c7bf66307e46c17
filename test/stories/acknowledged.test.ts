/** T1 · A turn counts as delivered once a client has its end, not once a gateway has it ready. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { pino } from 'pino';
import { sealOf } from '../../src/settle/seal.ts';
import { readStream } from '../../src/settle/read-stream.ts';
import { inserted, newTurn } from '../store/contract.ts';
import { post } from '../support/post.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';

/** The only turn there is, as the database has it. */
async function onlyTurn(world: World): Promise<{ readonly id: unknown; readonly isAcknowledged: boolean }> {
  const [row] = await world.database.ask('SELECT id, acknowledged FROM turns');
  return { id: row?.['id'], isAcknowledged: row?.['acknowledged'] === 1 };
}

async function untilAcknowledged(world: World, isAcknowledged: boolean): Promise<void> {
  await until(async () => (await onlyTurn(world)).isAcknowledged === isAcknowledged);
}

test('T1 · an answer that is cut off on its way is not delivered: the resend joins', { timeout: 60_000 }, async () => {
  const { promise: isCut, resolve: cut } = Promise.withResolvers<void>();
  const write = (line: string): void => {
    if (line.includes('"isCut":true')) cut();
  };
  await using world = await World.open({ hasWorker: false, log: pino({ level: 'info' }, { write }) });
  const { store, url } = world;
  // Larger than the sockets between them hold.
  const text = 'x'.repeat(32 * 1024 * 1024);
  const turn = await inserted(store, newTurn('resp_a'));
  const { epoch } = await store.fence('resp_a');
  const seal = sealOf(turn, await readStream(store, 'resp_a'), epoch, { status: 'cancelled', usage: null }, Date.now());
  const [end] = seal.rows;
  assert.ok(end);
  const response = { ...(JSON.parse(end.data) as { response: object }).response, metadata: { text } };
  const data = JSON.stringify({ type: end.type, sequence_number: end.seq, response });
  assert.equal((await store.seal({ ...seal, rows: [{ ...end, data }] })).type, 'sealed');

  const asking = get(`${url}/v1/responses/resp_a`, { agent: false });
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  asking.on('error', () => undefined);
  answer.on('error', () => undefined).destroy();
  await isCut;
  const resend = newTurn('resp_b', { isResend: true, createdAtMs: Date.now() });
  assert.equal((await store.insertTurn(resend)).type, 'joined');

  assert.equal((await world.call('GET', '/v1/responses/resp_a')).status, 200);
  await untilAcknowledged(world, true);
});

/** A client that reads nothing, and keeps its connection. */
function silentClient(world: World): { readonly send: (method: string, path: string, body?: object) => void; readonly reset: () => void } {
  const { hostname, port } = new URL(world.url);
  const socket = connect(Number(port), hostname).pause();
  return {
    send: (method, path, body) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const head = [`${method} ${path} HTTP/1.1`, `Host: ${hostname}`, 'Content-Type: application/json', `Content-Length: ${text.length}`];
      socket.write(`${head.join('\r\n')}\r\n\r\n${text}`);
    },
    reset: () => socket.resetAndDestroy(),
  };
}

for (const isStream of [false, true]) {
  const title = `T1 · a small answer that was sent, and that nobody read before the connection was reset, is not delivered (stream: ${isStream})`;
  test(title, { timeout: 60_000 }, async () => {
    await using world = await World.open();
    const client = silentClient(world);
    client.send('POST', '/v1/responses', { input: 'hi', stream: isStream });
    await untilAcknowledged(world, true);
    client.reset();
    await untilAcknowledged(world, false);
    const resent = await post(world.url, { input: 'hi', stream: isStream }, { 'x-stainless-retry-count': '1' });
    assert.equal(resent.headers.get('x-turnkeep-response-id'), (await onlyTurn(world)).id);
    assert.equal(world.model.requests.length, 1);
  });
}

test(
  'T1 · an end stays delivered that was read before its connection brought another request, or that another client has too',
  { timeout: 60_000 },
  async () => {
    const requests = new EventEmitter();
    const log = pino({ level: 'info' }, { write: (line) => requests.emit((JSON.parse(line) as { route?: string }).route ?? '') });
    await using world = await World.open({ log });
    const client = silentClient(world);
    client.send('POST', '/v1/responses', { input: 'hi' });
    await untilAcknowledged(world, true);
    const asked = once(requests, '/v1/models');
    client.send('GET', '/v1/models');
    await asked;
    client.reset();

    const second = silentClient(world);
    const watched = once(requests, '/v1/responses/:id');
    second.send('GET', `/v1/responses/${String((await onlyTurn(world)).id)}?stream=true`);
    await watched;
    second.reset();

    const next = await post(world.url, { input: 'hi' }, { 'x-stainless-retry-count': '1' });
    assert.notEqual(next.json?.['id'], (await onlyTurn(world)).id);
    assert.equal(world.model.requests.filter(({ method }) => method === 'POST').length, 2);
  },
);
