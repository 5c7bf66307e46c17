/** `@openai/agents` without tools. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent, OpenAIProvider, Runner } from '@openai/agents';
import { World } from '../support/world.ts';

test('agents: a run without a session, blocking and streamed', async () => {
  await using world = await World.open();
  const agent = new Agent({ name: 'Guide', instructions: 'be brief', model: 'scripted' });
  const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient: world.client }), tracingDisabled: true });
  assert.equal((await runner.run(agent, 'hi')).finalOutput, 'Hello world');
  const streamed = await runner.run(agent, 'hi', { stream: true });
  let text = '';
  for await (const piece of streamed.toTextStream()) text += piece;
  assert.equal(text, 'Hello world');
  await streamed.completed;
  assert.equal(streamed.finalOutput, 'Hello world');
});
