/** `@openai/agents` over a WebSocket (`useResponsesWebSocket`). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent, OpenAIProvider, Runner, tool } from '@openai/agents';
import { z } from 'zod';
import { chatAnswer, chatToolCalls, httpError } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { World } from '../support/world.ts';

const options = { timeout: 60_000 };

function providerOf(world: World): OpenAIProvider {
  return new OpenAIProvider({ openAIClient: world.client, useResponses: true, useResponsesWebSocket: true });
}

test('agents: runs with tools, blocking and streamed, over one socket', options, async () => {
  await using world = await World.open();
  const modelProvider = providerOf(world);
  const runner = new Runner({ modelProvider, tracingDisabled: true });
  const weather = tool({
    name: 'get_weather',
    description: 'the weather of a city',
    parameters: z.object({ city: z.string() }),
    execute: async ({ city }) => `snow in ${city}`,
  });
  const agent = new Agent({ name: 'Guide', instructions: 'be brief', model: 'scripted', tools: [weather] });
  const call = { id: 'call_1', name: 'get_weather', arguments: { city: 'Oslo' } };
  world.model.enqueue(chatToolCalls(call), chatAnswer('It snows.'), chatToolCalls(call), chatAnswer('It snows', ' again.'));
  assert.equal((await runner.run(agent, 'weather?')).finalOutput, 'It snows.');
  const streamed = await runner.run(agent, 'and now?', { stream: true });
  let text = '';
  for await (const piece of streamed.toTextStream()) text += piece;
  await streamed.completed;
  assert.equal(text, 'It snows again.');
  assert.equal(world.model.requests.length, 4);
  await modelProvider.close();
});

test('agents: a run goes on from the response of the one before; what is refused, or fails, is an error', options, async () => {
  await using world = await World.open();
  const modelProvider = providerOf(world);
  const runner = new Runner({ modelProvider, tracingDisabled: true });
  const agent = new Agent({ name: 'Guide', model: 'scripted' });
  world.model.enqueue(chatAnswer('one'), chatAnswer('two'), httpError(400));
  const first = await runner.run(agent, 'first');
  const second = await runner.run(agent, 'second', { previousResponseId: first.lastResponseId ?? '' });
  assert.equal(second.finalOutput, 'two');
  assert.equal(messagesOf(world.model.requests[1]).length, 3);
  await assert.rejects(runner.run(agent, 'third', { previousResponseId: 'resp_none' }), /terminal state "error"/);
  await assert.rejects(runner.run(agent, 'third'), /terminal state "response.failed"/);
  await modelProvider.close();
});
