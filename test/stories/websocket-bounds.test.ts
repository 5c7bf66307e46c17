/** Sockets that are slow, flooded, or left behind by a gateway that shuts down. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ApiKeyRow } from '../../src/domain/api-key.ts';
import { chat, chatAnswer, done, end, hold, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { SocketClient } from '../support/socket-client.ts';
import { story } from '../support/world.ts';

const held = (name: string): Script => [sseHead, chat.content('Hel'), hold(name), chat.content('lo'), chat.finish(), done, end];
const quotas = { requestsPerSecond: 0, maxRunningTurns: 1_000, maxWaitingTurns: 100 };

story('T12 · a socket that reads nothing holds nobody up, and has the same bytes when it reads again', async (world) => {
  const piece = 'x'.repeat(20_000);
  world.model.enqueue([
    sseHead,
    chat.content('a'),
    hold('go'),
    ...Array.from({ length: 600 }, () => chat.content(piece)),
    chat.finish(),
    done,
    end,
  ]);
  using socket = await SocketClient.open(world.client);
  socket.create('hi');
  await socket.untilText('a');
  const { response } = await socket.untilType('response.created');
  const viewer = await world.watch(response.id);
  socket.raw.pause();
  world.model.release('go');
  await viewer.ended;
  assert.equal(viewer.last.response.status, 'completed');
  assert.ok(socket.data.length < viewer.data.length);
  socket.raw.resume();
  await socket.untilEnd();
  assert.deepEqual(socket.data, viewer.data);
});

story('T14 · a flood of requests is refused behind those that wait, and those are answered in their order', async (world) => {
  world.model.enqueue(held('go'));
  using socket = await SocketClient.open(world.client);
  socket.create('first');
  await socket.untilText('Hel');
  for (let index = 0; index < 200; index += 1) socket.create(`more ${index}`, { generate: false, metadata: { index: String(index) } });
  const error = await socket.untilError();
  assert.deepEqual([error.status, error.code], [429, 'websocket_queue_full']);
  // All that do not fit are refused before one that waits has its turn.
  await socket.until(() => socket.events.filter(({ type }) => type === 'error').length === 136);
  world.model.release('go');
  await socket.untilEnds(65);
  const order = socket.events.flatMap((event) => {
    const { metadata } = (event['response'] ?? {}) as { metadata?: { index?: string } };
    return event.type === 'response.completed' && metadata?.index !== undefined ? [Number(metadata.index)] : [];
  });
  assert.deepEqual(
    order,
    Array.from({ length: 64 }, (_, index) => index),
  );
  assert.equal(socket.events.filter(({ type }) => type === 'error').length, 136);
  assert.equal(world.model.requests.length, 1);
});

story(
  'a key’s requests a second are counted by message; what is refused says when to send it again',
  async (world) => {
    using socket = await SocketClient.open(world.client);
    for (let index = 0; index < 30; index += 1) socket.create('hi', { generate: false });
    const error = await socket.untilError();
    assert.deepEqual([error.status, error.code], [429, 'rate_limit_exceeded']);
    assert.deepEqual((error.error as { headers?: object }).headers, { 'retry-after': '1' });
  },
  { config: { quotas: { ...quotas, requestsPerSecond: 1 } } },
);

story(
  'T14 · a message that is too much at once is refused, and the next one that is not is taken',
  async (world) => {
    world.model.enqueue(chatAnswer('ok'));
    using socket = await SocketClient.open(world.client);
    socket.create('x'.repeat(100_000));
    const error = await socket.untilError();
    assert.deepEqual([error.status, error.code], [429, 'too_many_bytes']);
    socket.create('short');
    assert.equal((await socket.untilEnd()).status, 'completed');
  },
  { config: { intake: { maxInputItems: 10_000, maxBodyBytesAtOnce: 150_000, unsupportedTools: 'omit' } } },
);

story('T14 · a flood of cancels is answered one after the other: while the client reads nothing, little is held for it', async (world) => {
  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const viewer = await world.say('hi', { instructions: 'x'.repeat(200_000) });
  await viewer.untilText('Hel');
  using socket = await SocketClient.open(world.client);
  socket.raw.pause();
  for (let index = 0; index < 200; index += 1) socket.send({ type: 'response.cancel', response_id: viewer.id });
  await viewer.ended;
  // The gateway goes on reading no further than it can answer: the rest of what is sent stays with the client.
  socket.send({ type: 'response.create', input: 'late', generate: false });
  socket.raw.resume();
  const last = await socket.untilType('response.completed');
  assert.equal(last.response.status, 'completed');
  assert.equal(socket.types.filter((type) => type === 'response.incomplete').length, 200, 'each is answered before what is behind it');
});

story(
  'a key that is revoked begins nothing more: what waits in its stream is refused, and the socket is closed',
  async (world) => {
    world.model.enqueue(held('go'));
    const key = `tk_0123456789ab_${'k'.repeat(43)}`;
    let revokedAtMs: number | null = null;
    const row = {
      id: key.slice(0, 15),
      tenant: 'ann',
      hash: '',
      scopes: ['write'],
      createdAtMs: 0,
      expiresAtMs: null,
      lastUsedAtMs: null,
    } as const;
    // As the database has it: what a gateway remembers of it for seconds is the same object.
    const findKey = async (): Promise<ApiKeyRow> => ({
      ...row,
      get revokedAtMs() {
        return revokedAtMs;
      },
    });
    const gateway = await world.startGateway(undefined, { ...world.openStore(), findKey });
    const client = world.client.withOptions({ baseURL: `${gateway.url}/v1`, apiKey: key });
    using socket = await SocketClient.open(client);
    const reason = once(socket.raw, 'close').then(([, text]) => String(text));
    socket.create('first', { stream_id: 'one' });
    await socket.untilText('Hel');
    const { response } = await socket.untilType('response.created');
    socket.create('second', { stream_id: 'one' });
    socket.send({ type: 'response.resume', response_id: response.id, stream_id: 'one' });
    // Messages are read in their order: once this one is answered, those before it wait in their stream.
    socket.create('prepared', { stream_id: 'two', generate: false });
    await socket.until((event) => event.type === 'response.completed' && event['stream_id'] === 'two');
    revokedAtMs = 1;
    world.model.release('go');
    const error = await socket.untilError();
    assert.deepEqual([error.status, error.code, error.stream_id], [401, 'invalid_api_key', 'one']);
    assert.match(error.error.message, /^This API key was revoked/);
    assert.equal(await socket.closed, 1008);
    assert.equal(await reason, 'the API key is good no more');
    const ends = socket.types.filter((type) => /^response\.completed$|^error$/.test(type));
    assert.deepEqual(ends, ['response.completed', 'response.completed', 'error'], 'what ran was shown to its end');
    assert.deepEqual(await world.acceptedInputs(), ['first']);
    assert.equal(world.model.requests.length, 1);
  },
  { config: { requiresKey: true } },
);

story('a gateway that drains closes idle sockets for a reconnect, takes in nothing new, and shows what runs to its end', async (world) => {
  world.model.enqueue(held('go'), chatAnswer('shorter'));
  const gateway = await world.startGateway();
  const client = world.client.withOptions({ baseURL: `${gateway.url}/v1` });
  const idle = await SocketClient.open(client);
  const busy = await SocketClient.open(client);
  busy.create('hi');
  await busy.untilText('Hel');
  const { response } = await busy.untilType('response.created');
  const steer = { type: 'response.steer', previous_response_id: response.id, input: 'shorter' };
  busy.send(steer);
  await busy.untilType('response.steer.accepted');
  gateway.drain();
  assert.equal(await idle.closed, 1012);
  const from = busy.events.length;
  busy.create('more', { stream_id: 'other' });
  const error = await busy.untilError(from);
  assert.deepEqual([error.status, error.code, error.stream_id], [503, 'draining', 'other']);
  await assert.rejects(SocketClient.open(client), /503/);
  busy.send(steer);
  await busy.untilType('response.steer.failed');
  world.model.release('go');
  const follower = await busy.untilEnds(2);
  assert.deepEqual([follower.status, follower.previous_response_id], ['completed', response.id], 'what was accepted before is carried out');
  assert.equal(await busy.closed, 1012);
  await gateway.close();
});

story('a gateway that ends before its responses do cuts their sockets, and they are resumed at another', async (world) => {
  world.model.enqueue(held('go'));
  const gateway = await world.startGateway();
  const cut = await SocketClient.open(world.client.withOptions({ baseURL: `${gateway.url}/v1` }));
  cut.create('hi');
  await cut.untilText('Hel');
  const { response } = await cut.untilType('response.created');
  const seen = cut.events.at(-1)?.sequence_number;
  await Promise.all([gateway.close(), cut.closed]);
  using socket = await SocketClient.open(world.client);
  socket.send({ type: 'response.resume', response_id: response.id, starting_after: seen });
  world.model.release('go');
  assert.equal((await socket.untilEnd()).status, 'completed');
});

story('a client has the end of a response once its pong says so: until then its own retry joins the response', async (world) => {
  world.model.enqueue(chatAnswer('Hello'), chatAnswer('again'));
  const retry = { headers: { 'x-stainless-retry-count': '1', 'content-type': 'application/json' }, method: 'POST', body: '{"input":"hi"}' };
  // One that answers no pings has proved nothing, and has gone without a close frame.
  const lost = await SocketClient.open(world.client, { autoPong: false });
  lost.create('hi');
  const first = await lost.untilEnd();
  lost.reset();
  await lost.closed;
  const joined = (await (await fetch(`${world.url}/v1/responses`, retry)).json()) as { id: string };
  assert.equal(joined.id, first.id);
  using socket = await SocketClient.open(world.client);
  socket.create('hi');
  const second = await socket.untilEnd();
  // Behind the end comes the gateway's ping, and the client's pong is before whatever it sends once it has the next response.
  for (const _ of [1, 2]) {
    const from = socket.events.length;
    socket.create('prepare', { generate: false });
    await socket.untilEnd(from);
  }
  const anew = (await (await fetch(`${world.url}/v1/responses`, retry)).json()) as { id: string };
  assert.notEqual(anew.id, second.id);
});
