/** Sockets of real processes that are killed with -9. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { chat, chatAnswer, done, end, hold, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { type RunningGateway, startCluster } from '../support/processes.ts';
import { SocketClient } from '../support/socket-client.ts';
import { wayOf } from '../support/temporal-way.ts';
import { Viewer } from '../support/viewer.ts';

const options = { timeout: 120_000 };

const held = (name: string): Script => [sseHead, chat.content('Hel'), hold(name), chat.content('lo'), chat.finish(), done, end];

function clientOf(url: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
}

function portOf({ url }: RunningGateway): { readonly port: number } {
  return { port: Number(new URL(url).port) };
}

test(
  'T7 · kill -9 of the gateway under a socket: both transports go on at another one, without a gap, and nothing is asked again',
  options,
  async () => {
    await using cluster = await startCluster();
    cluster.model.enqueue(held('go'), chatAnswer('more'));
    const doomed = await cluster.startGateway();
    const other = await cluster.startGateway();
    await cluster.startWorker();
    const cut = await SocketClient.open(clientOf(doomed.url));
    cut.create('hi', { 'idempotency-key': 'k1' });
    await cut.untilText('Hel');
    const { id } = (await cut.untilType('response.created')).response;
    const seen = cut.events.at(-1)?.sequence_number ?? -1;
    await doomed.role.kill();
    assert.equal(await cut.closed, 1006);
    using socket = await SocketClient.open(clientOf(other.url));
    socket.send({ type: 'response.resume', response_id: id, starting_after: seen });
    const viewer = await Viewer.open(`${other.url}/v1/responses/${id}?stream=true&starting_after=${seen}`);
    cluster.model.release('go');
    const ended = await socket.untilEnd();
    await viewer.ended;
    await socket.untilType('response.resume.done');
    assert.deepEqual([ended.id, ended.status, ended.output[0]?.content?.[0]?.text], [id, 'completed', 'Hello']);
    assert.deepEqual(socket.data.slice(0, -1), viewer.data);
    const whole = await Viewer.open(`${other.url}/v1/responses/${id}?stream=true`);
    await whole.ended;
    assert.deepEqual([...cut.data, ...viewer.data], whole.data);
    // A client that knows no more than its key has the same response.
    const from = socket.events.length;
    socket.create('hi', { 'idempotency-key': 'k1' });
    assert.equal((await socket.untilEnd(from)).id, id);
    const next = socket.events.length;
    socket.create('go on', { previous_response_id: id });
    assert.equal((await socket.untilEnd(next)).status, 'completed');
    assert.equal(cluster.model.requests.length, 2);
  },
);

test(
  'a gateway that is killed and started again: ResponsesWS connects again by itself, and resumes where it was',
  options,
  async (context) => {
    await using cluster = await startCluster();
    cluster.model.enqueue(held('go'), chatAnswer('more'));
    const doomed = await cluster.startGateway();
    await cluster.startWorker();
    // The address stays; a port that is left for a moment may be taken by anybody.
    const way = await wayOf(context);
    way.leadTo(portOf(doomed));
    const socket = new ResponsesWS(clientOf(`http://${way.address}`), {
      reconnect: { onReconnecting: () => undefined, initialDelay: 50, maxDelay: 200, maxRetries: 500 },
    });
    const events: OpenAI.Responses.ResponsesServerEvent[] = [];
    const hasBegun = Promise.withResolvers<void>();
    const hasEnded = Promise.withResolvers<void>();
    socket.on('event', (event) => {
      events.push(event);
      if (event.type === 'response.output_text.delta') hasBegun.resolve();
      if (event.type === 'response.completed') hasEnded.resolve();
    });
    // Of a connection that is lost while it is tried again.
    socket.on('error', () => undefined);
    socket.send({ type: 'response.create', input: 'hi' });
    await hasBegun.promise;
    const [first] = events;
    const last = events.at(-1);
    assert.ok(first?.type === 'response.created' && last?.type === 'response.output_text.delta');
    const { id } = first.response;
    socket.on('reconnected', () => {
      socket.sendRaw(JSON.stringify({ type: 'response.resume', response_id: id, starting_after: last.sequence_number }));
    });
    const reconnected = new Promise<void>((resolve) => {
      socket.on('reconnected', resolve);
    });
    await doomed.role.kill();
    const again = await cluster.startGateway();
    way.leadTo(portOf(again));
    await reconnected;
    cluster.model.release('go');
    await hasEnded.promise;
    const whole = await Viewer.open(`${again.url}/v1/responses/${id}?stream=true`);
    await whole.ended;
    assert.deepEqual(
      events.filter(({ type }) => (type as string) !== 'response.resume.done'),
      whole.events,
    );
    assert.equal(cluster.model.requests.length, 1);
    socket.close();
  },
);

test('kill -9 of the worker under a socket: the response has its end there, and a steer comes back', options, async () => {
  await using cluster = await startCluster();
  cluster.model.enqueue(held('never'));
  const { url } = await cluster.startGateway();
  const doomed = await cluster.startWorker();
  using socket = await SocketClient.open(clientOf(url));
  socket.create('hi');
  await socket.untilText('Hel');
  const { id } = (await socket.untilType('response.created')).response;
  socket.send({ type: 'response.steer', previous_response_id: id, input: 'shorter' });
  await socket.untilType('response.steer.accepted');
  await doomed.kill();
  await cluster.startWorker();
  const ended = await socket.untilEnd();
  assert.deepEqual([ended.status, ended.error?.code], ['failed', 'worker_lost']);
  const failed = await socket.untilType('response.steer.failed');
  assert.deepEqual((failed['steer'] as { input: string }).input, 'shorter');
  assert.equal(cluster.model.requests.length, 1);
});
