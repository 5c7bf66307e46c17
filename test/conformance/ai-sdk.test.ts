/** `ai` with `@ai-sdk/openai`: text, streamed and not, over several turns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, streamText } from 'ai';
import { chat, done, end, httpError, sseHead } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';

const provider = (world: World) => createOpenAI({ baseURL: `${world.url}/v1`, apiKey: 'none' });

function prompt(world: World, n: number): string[] {
  const { messages } = world.model.requests[n - 1]!.body as { messages: { role: string; content: string }[] };
  return messages.map(({ role, content }) => `${role}: ${content}`);
}

test('AI SDK: generateText and streamText, with usage and the end they came to', async () => {
  await using world = await World.open();
  const model = provider(world).responses('scripted');
  const generated = await generateText({ model, prompt: 'hi', instructions: 'be brief' });
  assert.deepEqual([generated.text, generated.finishReason, generated.usage.totalTokens], ['Hello world', 'stop', 5]);
  const streamed = streamText({ model, prompt: 'hi' });
  const deltas: string[] = [];
  for await (const delta of streamed.textStream) deltas.push(delta);
  assert.deepEqual(deltas, ['Hello', ' world']);
  assert.deepEqual([await streamed.finishReason, (await streamed.usage).totalTokens], ['stop', 5]);
});

test('AI SDK: turns chained by previousResponseId, and by conversation', async () => {
  await using world = await World.open();
  const model = provider(world).responses('scripted');
  const first = await generateText({ model, prompt: 'one' });
  const previousResponseId = first.providerMetadata?.['openai']?.['responseId'] as string;
  await generateText({ model, prompt: 'two', providerOptions: { openai: { previousResponseId } } });
  assert.deepEqual(prompt(world, 2), ['user: one', 'assistant: Hello world', 'user: two']);
  const conversation = await world.session();
  for (const words of ['three', 'four']) {
    await generateText({ model, prompt: words, providerOptions: { openai: { conversation } } });
  }
  assert.deepEqual(prompt(world, 4), ['user: three', 'assistant: Hello world', 'user: four']);
});

test('AI SDK: reasoning is shown as reasoning', async () => {
  await using world = await World.open({
    model: () => ({ fallback: [sseHead, chat.reasoning('Let me'), chat.reasoning(' see'), chat.content('Yes'), chat.finish(), done, end] }),
  });
  const streamed = streamText({ model: provider(world).responses('scripted'), prompt: 'hi' });
  assert.equal(await streamed.text, 'Yes');
  assert.equal(await streamed.reasoningText, 'Let me see');
});

test('AI SDK: a failed turn is an error, one cut short says why', async () => {
  await using world = await World.open();
  const model = provider(world).responses('scripted');
  world.model.enqueue(httpError(400), [sseHead, chat.content('Once'), chat.finish('length'), done, end]);
  const errors: unknown[] = [];
  const failed = streamText({ model, prompt: 'hi', maxRetries: 0, onError: ({ error }) => void errors.push(error) });
  await failed.consumeStream();
  assert.equal(errors.length, 1);
  const short = streamText({ model, prompt: 'hi' });
  assert.deepEqual([await short.text, await short.finishReason], ['Once', 'length']);
});
