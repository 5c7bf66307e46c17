/** `openai` for Node: what `responses` does with tools, formats, items and deletion. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { zodResponsesFunction, zodTextFormat } from 'openai/helpers/zod';
import { ResponsesToolRunner, runnerFunction } from 'openai/helpers/responses-tool-runner';
import { z } from 'zod';
import { chatAnswer } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';
import { weatherModel, weatherOf, weatherParameters } from './weather.ts';

const tool = {
  type: 'function',
  name: 'weather',
  description: 'the weather of a city',
  parameters: weatherParameters,
  strict: true,
} as const;

test('openai: function calls end a turn, the next one brings their outputs', async () => {
  await using world = await World.open({ model: weatherModel });
  const first = await world.client.responses.create({ model: 'scripted', input: 'what is the weather?', tools: [tool] });
  assert.equal(first.status, 'completed');
  const calls = first.output.filter((item) => item.type === 'function_call');
  assert.deepEqual(
    calls.map(({ call_id, name, arguments: args }) => [call_id, name, args]),
    [
      ['call_1', 'weather', '{"city":"Oslo"}'],
      ['call_2', 'weather', '{"city":"Rome"}'],
    ],
  );
  const outputs = calls.map(({ call_id, arguments: args }) => ({
    type: 'function_call_output' as const,
    call_id,
    output: weatherOf((JSON.parse(args) as { city: string }).city),
  }));
  const second = await world.client.responses.create({
    model: 'scripted',
    input: outputs,
    tools: [tool],
    previous_response_id: first.id,
  });
  assert.equal(second.output_text, 'It is snow and sun.');
  const { messages } = world.model.requests[1]!.body as { messages: { role: string }[] };
  assert.deepEqual(
    messages.map(({ role }) => role),
    ['user', 'assistant', 'tool', 'tool'],
  );
});

test('openai: the same with the whole history sent again and nothing stored of it before', async () => {
  await using world = await World.open({ model: weatherModel });
  const question = { role: 'user' as const, content: 'what is the weather?' };
  const first = await world.client.responses.create({ model: 'scripted', input: [question], tools: [tool], store: false });
  const outputs = first.output.flatMap((item) =>
    item.type === 'function_call' ? [{ type: 'function_call_output' as const, call_id: item.call_id, output: 'rain' }] : [],
  );
  const second = await world.client.responses.create({
    model: 'scripted',
    input: [question, ...(first.output as OpenAI.Responses.ResponseInputItem[]), ...outputs],
    tools: [tool],
    store: false,
  });
  assert.equal(second.output_text, 'It is rain and rain.');
  await assert.rejects(world.client.responses.retrieve(second.id), OpenAI.NotFoundError);
});

test('openai: responses.stream tells the arguments of calls as they come', async () => {
  await using world = await World.open({ model: weatherModel });
  const stream = world.client.responses.stream({
    model: 'scripted',
    input: 'what is the weather?',
    tools: [zodResponsesFunction({ name: 'weather', parameters: z.object({ city: z.string() }) })],
  });
  const snapshots: string[] = [];
  stream.on('response.function_call_arguments.delta', ({ snapshot }) => snapshots.push(snapshot));
  const final = await stream.finalResponse();
  assert.equal(snapshots.at(-1), '{"city":"Rome"}');
  assert.deepEqual(
    final.output.map((item) => (item.type === 'function_call' ? item.parsed_arguments : item.type)),
    [{ city: 'Oslo' }, { city: 'Rome' }],
  );
});

for (const stream of [false, true]) {
  test(`openai: its runner of tools asks, runs and asks again (${stream ? 'streamed' : 'blocking'})`, async () => {
    await using world = await World.open({ model: weatherModel });
    const weather = runnerFunction(
      zodResponsesFunction({ name: 'weather', parameters: z.object({ city: z.string() }), function: ({ city }) => weatherOf(city) }),
    );
    const runner = new ResponsesToolRunner({ functions: [weather] });
    const final = await runner.run(world.client, { model: 'scripted', input: 'what is the weather?' }, { stream });
    assert.equal(final.output_text, 'It is snow and sun.');
    assert.equal(world.model.requests.length, 2);
  });
}

test('openai: responses.parse gives what a zod schema asked for', async () => {
  await using world = await World.open({ model: () => ({ fallback: chatAnswer('{"city":', '"Oslo"}') }) });
  const format = zodTextFormat(z.object({ city: z.string() }), 'place');
  const parsed = await world.client.responses.parse({ model: 'scripted', input: 'where?', text: { format } });
  assert.deepEqual(parsed.output_parsed, { city: 'Oslo' });
  const final = await world.client.responses.stream({ model: 'scripted', input: 'where?', text: { format } }).finalResponse();
  assert.deepEqual(final.output_parsed, { city: 'Oslo' });
  for (const request of world.model.requests) {
    const { response_format: asked } = request.body as {
      response_format: { type: string; json_schema: { name: string; strict: boolean } };
    };
    assert.deepEqual([asked.type, asked.json_schema.name, asked.json_schema.strict], ['json_schema', 'place', true]);
  }
});

test('openai: inputItems.list pages through the input of a response', async () => {
  await using world = await World.open();
  const words = ['one', 'two', 'three', 'four', 'five'];
  const input = words.map((content) => ({ role: 'user' as const, content }));
  const { id } = await world.client.responses.create({ model: 'scripted', input });
  for (const order of ['asc', 'desc'] as const) {
    const texts: string[] = [];
    for await (const item of world.client.responses.inputItems.list(id, { limit: 2, order })) {
      assert.ok(item.type === 'message' && item.id);
      const [part] = item.content;
      texts.push(part?.type === 'input_text' ? part.text : `not a text but ${String(part?.type)}`);
    }
    assert.deepEqual(texts, order === 'asc' ? words : words.toReversed());
  }
});

test('openai: responses.delete', async () => {
  await using world = await World.open();
  const { id } = await world.client.responses.create({ model: 'scripted', input: 'hi' });
  await world.client.responses.delete(id);
  await assert.rejects(world.client.responses.retrieve(id), OpenAI.NotFoundError);
  await assert.rejects(world.client.responses.inputItems.list(id), OpenAI.NotFoundError);
});
