/** A turn of several steps as the clients of each protocol see it. */
import assert from 'node:assert/strict';
import { chatAnswer, chatToolCalls } from '../../src/testing/model-server/index.ts';
import { SocketClient } from '../support/socket-client.ts';
import { watchSteer } from '../support/steers.ts';
import { UiChat } from '../support/ui-chat.ts';
import type { FinalResponse } from '../support/viewer.ts';
import { agentStory, call, helper, itemsOf, told } from './agent-story.ts';

agentStory('openai’s own stream helper reads a turn with tools and approvals without an error', async (world) => {
  world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one'), call('c2', 'broken', 'two')), chatToolCalls(call('c3', 'mail', 'ann')));
  const stream = world.client.responses.stream({ model: 'helper', input: 'go' });
  const types: string[] = [];
  for await (const { type } of stream) types.push(type);
  const final = await stream.finalResponse();
  assert.deepEqual(
    final.output.map(({ type }) => type),
    ['mcp_call', 'mcp_call', 'mcp_approval_request'],
  );
  assert.equal(types.at(-1), 'response.completed');
});

agentStory('a steer while a tool runs: the call has its end, and the response that follows knows of both', async (world, tools) => {
  world.model.enqueue(chatToolCalls(call('c1', 'held', 'one')), chatAnswer('shorter'));
  using socket = await SocketClient.open(world.client);
  socket.create('plan', helper);
  await tools.begun('one');
  const { response } = await socket.untilType('response.created');
  const { heard } = await watchSteer(world, response.id);
  socket.sdk.send({ type: 'response.steer', previous_response_id: response.id, input: 'keep it short' });
  await heard;
  tools.release('one');
  const steered = await socket.untilEnd();
  assert.deepEqual([steered.status, steered.incomplete_details?.reason], ['incomplete', 'steered']);
  assert.deepEqual(
    itemsOf(steered as unknown as FinalResponse).map(({ type, status }) => [type, status]),
    [['mcp_call', 'completed']],
  );
  const next = await socket.untilEnd(socket.types.indexOf('response.incomplete') + 1);
  assert.equal(next.status, 'completed');
  const messages = told(world, 1);
  assert.deepEqual(messages.slice(2, 4), [
    ['assistant', ['c1']],
    ['tool', 'one went on', 'c1'],
  ]);
  assert.deepEqual(messages.at(-1), ['user', 'keep it short']);
  assert.equal(world.model.requests.length, 2);
});

agentStory('Chat Completions with an agent: the tools are the server’s own, and the client sees the answer', async (world, tools) => {
  world.model.enqueue(
    chatToolCalls(call('c1', 'echo', 'one')),
    chatAnswer('first'),
    chatToolCalls(call('c2', 'echo', 'two')),
    chatAnswer('second'),
  );
  const messages: { role: 'user' | 'assistant'; content: string }[] = [{ role: 'user', content: 'go' }];
  const whole = await world.client.chat.completions.create({ model: 'helper', messages });
  assert.deepEqual([whole.choices[0]?.message.content, whole.choices[0]?.finish_reason], ['first', 'stop']);
  messages.push({ role: 'assistant', content: 'first' }, { role: 'user', content: 'on' });
  const runner = world.client.chat.completions.stream({ model: 'helper', messages });
  const streamed = await runner.finalChatCompletion();
  assert.deepEqual([streamed.choices[0]?.message.content, streamed.choices[0]?.finish_reason], ['second', 'stop']);
  assert.deepEqual(tools.named('echo'), ['one', 'two']);
});

agentStory('useChat with an agent: two messages, tools in each, no error', async (world, tools) => {
  world.model.enqueue(
    chatToolCalls(call('c1', 'echo', 'one')),
    chatAnswer('first'),
    chatToolCalls(call('c2', 'echo', 'two')),
    chatAnswer('second'),
  );
  const ui = new UiChat(world.url, `chat of ${world.config.taskQueue}`, { body: helper });
  await ui.sendMessage({ text: 'go' });
  assert.deepEqual([ui.error, ui.text], [undefined, 'first']);
  await ui.sendMessage({ text: 'on' });
  assert.deepEqual([ui.error, ui.text], [undefined, 'second']);
  assert.deepEqual(tools.named('echo'), ['one', 'two']);
  assert.deepEqual(
    told(world, 3).map((message) => (message as string[])[0]),
    ['system', 'user', 'assistant', 'tool', 'assistant', 'user', 'assistant', 'tool'],
  );
});
