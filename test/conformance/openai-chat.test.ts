/** `openai` for Node: Chat Completions on the same turns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { chatAnswer } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';
import { weatherModel, weatherOf } from './weather.ts';

const messages = [
  { role: 'system' as const, content: 'be brief' },
  { role: 'user' as const, content: 'hi' },
];

test('openai: chat.completions.create, blocking and streamed', async () => {
  await using world = await World.open();
  const blocking = await world.client.chat.completions.create({ model: 'scripted', messages });
  assert.equal(blocking.object, 'chat.completion');
  assert.deepEqual(
    blocking.choices.map((choice) => [choice.index, choice.message.role, choice.message.content, choice.finish_reason]),
    [[0, 'assistant', 'Hello world', 'stop']],
  );
  assert.equal(blocking.usage?.total_tokens, 5);
  const deltas: string[] = [];
  const reasons: string[] = [];
  let total: number | undefined;
  const stream = await world.client.chat.completions.create({
    model: 'scripted',
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    assert.equal(chunk.object, 'chat.completion.chunk');
    for (const { delta, finish_reason: reason } of chunk.choices) {
      if (delta.content) deltas.push(delta.content);
      if (reason) reasons.push(reason);
    }
    total = chunk.usage?.total_tokens ?? total;
  }
  assert.deepEqual([deltas, reasons, total], [['Hello', ' world'], ['stop'], 5]);
  assert.deepEqual(
    world.model.requests.map((request) =>
      (request.body as { messages: { role: string; content: string }[] }).messages.map(({ content }) => content),
    ),
    [
      ['be brief', 'hi'],
      ['be brief', 'hi'],
    ],
    'each request is a conversation of its own',
  );
});

test('openai: chat.completions.stream tells snapshots and the final completion', async () => {
  await using world = await World.open();
  const stream = world.client.chat.completions.stream({ model: 'scripted', messages });
  const snapshots: string[] = [];
  stream.on('content', (_, snapshot) => snapshots.push(snapshot));
  assert.equal(await stream.finalContent(), 'Hello world');
  assert.deepEqual(snapshots, ['Hello', 'Hello world']);
});

test('openai: chat.completions.parse gives what a zod schema asked for', async () => {
  await using world = await World.open({ model: () => ({ fallback: chatAnswer('{"city":', '"Oslo"}') }) });
  const response_format = zodResponseFormat(z.object({ city: z.string() }), 'place');
  const parsed = await world.client.chat.completions.parse({ model: 'scripted', messages, response_format });
  assert.deepEqual(parsed.choices[0]?.message.parsed, { city: 'Oslo' });
  const asked = world.model.requests[0]!.body as { response_format: { type: string } };
  assert.equal(asked.response_format.type, 'json_schema');
});

for (const stream of [false, true]) {
  test(`openai: chat.completions.runTools asks, runs and asks again (${stream ? 'streamed' : 'blocking'})`, async () => {
    await using world = await World.open({ model: weatherModel });
    const asked: string[] = [];
    const weather = zodFunction({
      name: 'weather',
      parameters: z.object({ city: z.string() }),
      function: ({ city }) => {
        asked.push(city);
        return weatherOf(city);
      },
    });
    const params = { model: 'scripted', messages: [{ role: 'user' as const, content: 'what is the weather?' }], tools: [weather] };
    const runner = stream
      ? world.client.chat.completions.runTools({ ...params, stream })
      : world.client.chat.completions.runTools({ ...params, stream });
    assert.equal(await runner.finalContent(), 'It is snow and sun.');
    assert.deepEqual(asked, ['Oslo', 'Rome']);
    assert.equal(world.model.requests.length, 2);
  });
}
