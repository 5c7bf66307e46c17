/** `@openai/agents`: its conversations session, its server-managed conversations and its tools. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent, OpenAIConversationsSession, OpenAIProvider, Runner, type RunStreamEvent, tool } from '@openai/agents';
import { z } from 'zod';
import { World } from '../support/world.ts';
import { weatherModel, weatherOf } from './weather.ts';

const weather = tool({
  name: 'weather',
  description: 'the weather of a city',
  parameters: z.object({ city: z.string() }),
  execute: ({ city }) => weatherOf(city),
});
const agent = new Agent({ name: 'Guide', instructions: 'be brief', model: 'scripted', tools: [weather] });

function runner(world: World, useResponses = true): Runner {
  return new Runner({ modelProvider: new OpenAIProvider({ openAIClient: world.client, useResponses }), tracingDisabled: true });
}

/** Runs to the end, streamed, and gives the text that came in pieces. */
async function streamedText(events: AsyncIterable<RunStreamEvent>): Promise<string> {
  let text = '';
  for await (const event of events) {
    if (event.type === 'raw_model_stream_event' && event.data.type === 'output_text_delta') text += event.data.delta;
  }
  return text;
}

/** The roles of the nth prompt, without the instructions. */
function roles(world: World, n: number): string[] {
  const { messages } = world.model.requests[n - 1]!.body as { messages: { role: string }[] };
  return messages.map(({ role }) => role).filter((role) => role !== 'system');
}

test('agents: a conversations session keeps questions, calls, outputs and answers over several turns', async () => {
  await using world = await World.open({ model: weatherModel });
  const session = new OpenAIConversationsSession({ client: world.client });
  const first = await runner(world).run(agent, 'what is the weather?', { session });
  assert.equal(first.finalOutput, 'It is snow and sun.');
  const second = await runner(world).run(agent, 'and now?', { session, stream: true });
  assert.equal(await streamedText(second), 'It is snow and sun.');
  await second.completed;
  const once = ['user', 'assistant', 'tool', 'tool', 'assistant'];
  assert.deepEqual(
    [1, 2, 3, 4].map((n) => roles(world, n)),
    [['user'], once.slice(0, 4), [...once, 'user'], [...once, ...once.slice(0, 4)]],
  );
  const kept = (await session.getItems()).map((item) => ('role' in item ? item.role : item.type));
  const turn = ['user', 'function_call', 'function_call', 'function_call_result', 'function_call_result', 'assistant'];
  assert.deepEqual(kept, [...turn, ...turn]);
  const last = await session.popItem();
  assert.ok(last !== undefined && 'role' in last && last.role === 'assistant');
  assert.equal((await session.getItems()).length, 11);
  await session.clearSession();
});

test('agents: a conversation that the server keeps is sent only what is new', async () => {
  await using world = await World.open({ model: weatherModel });
  const { id: conversationId } = await world.client.conversations.create();
  const first = await runner(world).run(agent, 'what is the weather?', { conversationId });
  assert.equal(first.finalOutput, 'It is snow and sun.');
  const second = await runner(world).run(agent, 'and now?', { conversationId, stream: true });
  await second.completed;
  assert.equal(second.finalOutput, 'It is snow and sun.');
  assert.deepEqual(await world.userTexts(conversationId), ['what is the weather?', 'and now?']);
  assert.deepEqual(roles(world, 4).length, 9);
});

test('agents: turns chained by previousResponseId', async () => {
  await using world = await World.open({ model: weatherModel });
  const first = await runner(world).run(agent, 'what is the weather?');
  assert.ok(first.lastResponseId);
  const second = await runner(world).run(agent, 'and now?', { previousResponseId: first.lastResponseId });
  assert.equal(second.finalOutput, 'It is snow and sun.');
  assert.deepEqual(roles(world, 3), ['user', 'assistant', 'tool', 'tool', 'assistant', 'user']);
});

test('agents: its Chat Completions model', async () => {
  await using world = await World.open({ model: weatherModel });
  const result = await runner(world, false).run(agent, 'what is the weather?');
  assert.equal(result.finalOutput, 'It is snow and sun.');
  const streamed = await runner(world, false).run(agent, 'what is the weather?', { stream: true });
  assert.equal(await streamedText(streamed), 'It is snow and sun.');
});
