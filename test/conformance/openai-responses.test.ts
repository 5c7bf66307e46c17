/** `openai` for Node: every helper of `responses` that this gateway's plain text needs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { chat, chatAnswer, done, end, hold, httpError, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';
import { startProxy } from './proxy.ts';

const heldAnswer: Script = [
  sseHead,
  chat.role(),
  chat.content('Hel'),
  hold('go'),
  chat.content('lo'),
  chat.finish(),
  chat.usage(),
  done,
  end,
];

test('openai: responses.create, blocking and streamed', async () => {
  await using world = await World.open();
  const blocking = await world.client.responses.create({ model: 'scripted', input: 'hi', instructions: 'be brief' });
  assert.deepEqual([blocking.status, blocking.output_text, blocking.usage?.total_tokens], ['completed', 'Hello world', 5]);
  const deltas: string[] = [];
  const sequence: number[] = [];
  for await (const event of await world.client.responses.create({ model: 'scripted', input: 'hi', stream: true })) {
    sequence.push(event.sequence_number);
    if (event.type === 'response.output_text.delta') deltas.push(event.delta);
  }
  assert.deepEqual(deltas, ['Hello', ' world']);
  assert.deepEqual(
    sequence,
    sequence.map((_, index) => index),
  );
});

test('openai: responses.stream tells snapshots and the final response, and replays by response_id', async () => {
  await using world = await World.open();
  const stream = world.client.responses.stream({ model: 'scripted', input: 'hi' });
  const snapshots: string[] = [];
  stream.on('response.output_text.delta', ({ snapshot }) => snapshots.push(snapshot));
  const final = await stream.finalResponse();
  assert.deepEqual(snapshots, ['Hello', 'Hello world']);
  assert.equal(final.output_text, 'Hello world');
  const seen: string[] = [];
  const replay = world.client.responses.stream({ response_id: final.id });
  for await (const event of replay) seen.push(event.type);
  assert.deepEqual(seen, (await world.watch(final.id).then(async (viewer) => (await viewer.ended, viewer))).types);
  assert.deepEqual((await replay.finalResponse()).output, final.output);
});

test('openai: responses.stream with starting_after goes on in mid-answer', async () => {
  await using world = await World.open({ model: () => ({ fallback: heldAnswer }) });
  const first = await world.client.responses.create({ model: 'scripted', input: 'hi', stream: true });
  let [id, last] = ['', -1];
  for await (const event of first) {
    last = event.sequence_number;
    if (event.type === 'response.created') id = event.response.id;
    if (event.type === 'response.output_text.delta') break;
  }
  const deltas: string[] = [];
  const numbers: number[] = [];
  const stream = world.client.responses.stream({ response_id: id, starting_after: last });
  stream.on('response.output_text.delta', ({ delta, snapshot }) => deltas.push(`${delta}|${snapshot}`));
  stream.on('event', (event) => numbers.push(event.sequence_number));
  world.model.release('go');
  assert.equal((await stream.finalResponse()).output_text, 'Hello');
  assert.deepEqual(deltas, ['lo|Hello']);
  assert.equal(numbers[0], last + 1);
  assert.equal(world.model.requests.length, 1);
});

test('openai: responses.retrieve, stored and streamed from a cursor', async () => {
  await using world = await World.open();
  const { id } = await world.client.responses.create({ model: 'scripted', input: 'hi' });
  assert.equal((await world.client.responses.retrieve(id)).output_text, 'Hello world');
  const all: string[] = [];
  const rest: string[] = [];
  for await (const event of await world.client.responses.retrieve(id, { stream: true })) all.push(event.type);
  for await (const event of await world.client.responses.retrieve(id, { stream: true, starting_after: 4 })) rest.push(event.type);
  assert.equal(rest[0], 'response.output_text.delta');
  assert.deepEqual(rest, all.slice(5));
});

test('openai: a background response is polled, followed and cancelled', async () => {
  await using world = await World.open({ model: () => ({ fallback: [sseHead, chat.content('Hel'), stall] }) });
  const queued = await world.client.responses.create({ model: 'scripted', input: 'hi', background: true });
  assert.deepEqual([queued.status, queued.output], ['queued', []]);
  for await (const event of await world.client.responses.retrieve(queued.id, { stream: true })) {
    if (event.type === 'response.output_text.delta') break;
  }
  const cancelled = await world.client.responses.cancel(queued.id);
  assert.equal(cancelled.status, 'cancelled');
  assert.equal((await world.client.responses.retrieve(queued.id)).output_text, 'Hel');
  assert.deepEqual(await world.client.responses.cancel(queued.id), cancelled, 'again: the same answer');
});

test('openai: the ends that are none: a failed turn is returned with its code, a cancelled one with what was said', async () => {
  await using world = await World.open();
  world.model.enqueue(httpError(400), [sseHead, chat.content('Hel'), stall]);
  const failed = await world.client.responses.stream({ model: 'scripted', input: 'hi' }).finalResponse();
  assert.deepEqual([failed.status, failed.error?.code], ['failed', 'provider_rejected']);
  const stream = world.client.responses.stream({ model: 'scripted', input: 'hi' });
  stream.once('response.created', ({ response: { id } }) => {
    stream.once('response.output_text.delta', () => void world.client.responses.cancel(id));
  });
  const cancelled = await stream.finalResponse();
  assert.deepEqual([cancelled.status, cancelled.output_text], ['cancelled', 'Hel']);
});

test('openai: errors are of its own classes and name the field', async () => {
  await using world = await World.open();
  await assert.rejects(world.client.responses.retrieve('resp_nobody'), OpenAI.NotFoundError);
  await assert.rejects(
    world.client.responses.create({ model: 'scripted', input: 'hi', temperature: 9 }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === 'temperature',
  );
});

test('openai: a chain by previous_response_id', async () => {
  await using world = await World.open();
  const first = await world.client.responses.create({ model: 'scripted', input: 'one' });
  const second = await world.client.responses.create({ model: 'scripted', input: 'two', previous_response_id: first.id });
  assert.equal(second.previous_response_id, first.id);
  assert.equal((world.model.requests[1]!.body as { messages: unknown[] }).messages.length, 3);
});

test('openai: models.list', async () => {
  await using world = await World.open();
  const ids: string[] = [];
  for await (const { id } of world.client.models.list()) ids.push(id);
  assert.deepEqual(ids, ['scripted']);
});

for (const isStream of [false, true]) {
  test(`openai: an answer dropped at the socket, asked for again by the client itself, is one turn (${isStream ? 'streamed' : 'blocking'})`, async () => {
    await using world = await World.open({ model: () => ({ fallback: chatAnswer('Hello', ' world') }) });
    await using proxy = await startProxy(world.url);
    proxy.dropNextAnswer();
    const client = new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: 'none', maxRetries: 2 });
    const body = { model: 'scripted', input: 'hi' };
    const response = isStream ? await client.responses.stream(body).finalResponse() : await client.responses.create(body);
    assert.equal(response.output_text, 'Hello world');
    assert.equal(proxy.connections, 2);
    assert.equal(world.model.requests.length, 1);
    assert.deepEqual(await world.acceptedInputs(), ['hi']);
  });
}
