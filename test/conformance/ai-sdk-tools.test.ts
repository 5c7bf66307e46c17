/** `ai` with `@ai-sdk/openai`: tools and objects, by its responses and its chat model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, isStepCount, type ModelMessage, Output, streamText, tool } from 'ai';
import { z } from 'zod';
import { chatAnswer } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';
import { weatherModel, weatherOf } from './weather.ts';

const tools = {
  weather: tool({
    description: 'the weather of a city',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => weatherOf(city),
  }),
};

function model(world: World, kind: 'responses' | 'chat') {
  return createOpenAI({ baseURL: `${world.url}/v1`, apiKey: 'none' })[kind]('scripted');
}

function roles(world: World, n: number): string[] {
  const { messages } = world.model.requests[n - 1]!.body as { messages: { role: string }[] };
  return messages.map(({ role }) => role);
}

for (const kind of ['responses', 'chat'] as const) {
  test(`AI SDK: tools are asked for, run and answered, generated and streamed (${kind})`, async () => {
    await using world = await World.open({ model: weatherModel });
    const settings = { model: model(world, kind), tools, stopWhen: isStepCount(3) };
    const generated = await generateText({ ...settings, prompt: 'what is the weather?' });
    assert.equal(generated.text, 'It is snow and sun.');
    assert.deepEqual(
      generated.steps.map(({ finishReason, toolCalls }) => [finishReason, toolCalls.length]),
      [
        ['tool-calls', 2],
        ['stop', 0],
      ],
    );
    const streamed = streamText({ ...settings, prompt: 'what is the weather?' });
    assert.equal(await streamed.text, 'It is snow and sun.');
    assert.equal(world.model.requests.length, 4);
    assert.deepEqual(roles(world, 4), ['user', 'assistant', 'tool', 'tool']);
  });

  test(`AI SDK: a conversation with tools sent again each time (${kind})`, async () => {
    await using world = await World.open({ model: weatherModel });
    const messages: ModelMessage[] = [];
    for (const content of ['what is the weather?', 'and now?']) {
      messages.push({ role: 'user', content });
      const { responseMessages } = await generateText({ model: model(world, kind), tools, stopWhen: isStepCount(3), messages });
      messages.push(...responseMessages);
    }
    const turn = ['user', 'assistant', 'tool', 'tool', 'assistant'];
    assert.deepEqual(roles(world, 4), [...turn, ...turn.slice(0, 4)]);
  });

  test(`AI SDK: an object by a schema (${kind})`, async () => {
    await using world = await World.open({ model: () => ({ fallback: chatAnswer('{"city":', '"Oslo"}') }) });
    const output = Output.object({ schema: z.object({ city: z.string() }) });
    const generated = await generateText({ model: model(world, kind), prompt: 'where?', output });
    assert.deepEqual(generated.output, { city: 'Oslo' });
  });
}

test('AI SDK: a conversation that is not stored is sent again whole', async () => {
  await using world = await World.open({ model: weatherModel });
  const messages: ModelMessage[] = [];
  for (const content of ['what is the weather?', 'and now?']) {
    messages.push({ role: 'user', content });
    const settings = { model: model(world, 'responses'), tools, stopWhen: isStepCount(3), messages };
    const { responseMessages } = await generateText({ ...settings, providerOptions: { openai: { store: false } } });
    messages.push(...responseMessages);
  }
  assert.equal(roles(world, 4).length, 9);
});

test('AI SDK: its chat model, generated and streamed', async () => {
  await using world = await World.open();
  const generated = await generateText({ model: model(world, 'chat'), prompt: 'hi' });
  assert.deepEqual([generated.text, generated.finishReason, generated.usage.totalTokens], ['Hello world', 'stop', 5]);
  const streamed = streamText({ model: model(world, 'chat'), prompt: 'hi' });
  const deltas: string[] = [];
  for await (const delta of streamed.textStream) deltas.push(delta);
  assert.deepEqual([deltas, await streamed.finishReason], [['Hello', ' world'], 'stop']);
});

test('AI SDK: a conversation sent again each time refers to what is stored here', async () => {
  await using world = await World.open();
  const messages: ModelMessage[] = [];
  for (const words of ['one', 'two']) {
    messages.push({ role: 'user', content: words });
    const { responseMessages } = await generateText({ model: model(world, 'responses'), messages });
    messages.push(...responseMessages);
  }
  assert.deepEqual(roles(world, 2), ['user', 'assistant', 'user']);
  const stored = world.model.requests[1]!.body as { messages: { content: string }[] };
  assert.equal(stored.messages[1]?.content, 'Hello world');
});
