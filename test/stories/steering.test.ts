/** `response.steer`: what the user says while a response runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type OpenAI from 'openai';
import { chat, chatAnswer, done, end, hold, httpError, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { SocketClient } from '../support/socket-client.ts';
import { watchSteer } from '../support/steers.ts';
import { story, World } from '../support/world.ts';

type Failed = OpenAI.Responses.ResponseSteerFailedEvent;
type Pending = OpenAI.Responses.ResponseSteerPendingEvent;
type Taken = OpenAI.Responses.ResponseSteerAcceptedEvent;

const held: Script = [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end];

function asked(world: World, request: number): (readonly [string, string])[] {
  return messagesOf(world.model.requests[request]).map(({ role, content }) => [role, content] as const);
}

async function steerFirst(socket: SocketClient, input: string): Promise<string> {
  const { response } = await socket.untilType('response.created');
  socket.sdk.send({ type: 'response.steer', previous_response_id: response.id, input });
  return response.id;
}

async function typed<Event>(socket: SocketClient, type: string, from = 0): Promise<Event> {
  return (await socket.untilType(type, from)) as unknown as Event;
}

story('a steer before the first words ends the response as steered, and a new one with its settings goes on', async (world) => {
  world.model.enqueue([sseHead, chat.role(), stall], chatAnswer('shorter'));
  using socket = await SocketClient.open(world.client);
  socket.create('plan', { instructions: 'be kind', metadata: { of: 'me' } });
  await world.model.nextRequest(1);
  const id = await steerFirst(socket, 'keep it short');
  const taken = await typed<Taken>(socket, 'response.steer.accepted');
  assert.equal(taken.steer.previous_response_id, id);
  const steered = await socket.untilEnd();
  assert.deepEqual([steered.id, steered.status, steered.incomplete_details?.reason], [id, 'incomplete', 'steered']);
  await world.model.clientClosed(1);
  const from = socket.types.indexOf('response.incomplete') + 1;
  const next = await socket.untilEnd(from);
  assert.equal(next.id, taken.steer.id.replace('steer_', 'resp_'), 'a client that lost its connection finds it');
  const { instructions, metadata } = next as unknown as { instructions: string; metadata: object };
  assert.deepEqual([next.status, next.previous_response_id, instructions, metadata], ['completed', id, 'be kind', { of: 'me' }]);
  assert.deepEqual(asked(world, 1).at(-1), ['user', 'keep it short']);
  const viewer = await world.watch(next.id);
  await viewer.ended;
  assert.deepEqual(socket.data.slice(from), viewer.data);
});

story(
  'T7 · a steer in the midst of a message tears nothing: the message ends, then the new response follows; two are one',
  async (world) => {
    world.model.enqueue(held, chatAnswer('both'));
    using socket = await SocketClient.open(world.client);
    socket.create('plan');
    await socket.untilText('Hel');
    const id = await steerFirst(socket, 'first');
    socket.sdk.send({ type: 'response.steer', previous_response_id: id, input: [{ type: 'message', role: 'user', content: 'second' }] });
    await socket.until(({ type }) => type === 'response.steer.accepted', socket.types.indexOf('response.steer.accepted') + 1);
    const numbers = socket.events.map(({ sequence_number }) => sequence_number);
    assert.deepEqual(
      numbers.slice(-2),
      [numbers.at(-3), numbers.at(-3)],
      'a client that resumes behind the highest number it has seen misses nothing',
    );
    world.model.release('go');
    const ended = await socket.untilEnd();
    assert.deepEqual([ended.status, ended.output[0]?.content?.[0]?.text], ['completed', 'Hello']);
    const next = await socket.untilEnd(socket.types.indexOf('response.completed') + 1);
    assert.equal(next.previous_response_id, id);
    assert.deepEqual(asked(world, 1).slice(-2), [
      ['user', 'first'],
      ['user', 'second'],
    ]);
  },
);

story('a response that ends with calls keeps its steers: they stand before what the client then sends', async (world) => {
  world.model.enqueue(
    [
      sseHead,
      chat.toolCall(0, { id: 'call_1', name: 'status', arguments: '{' }),
      hold('go'),
      chat.toolCall(0, { arguments: '}' }),
      chat.finish('tool_calls'),
      done,
      end,
    ],
    chatAnswer('done'),
  );
  const tools = [{ type: 'function', name: 'status', parameters: { type: 'object', properties: {} } }];
  using socket = await SocketClient.open(world.client);
  socket.create('plan', { tools, stream_id: 'main' });
  await socket.untilType('response.function_call_arguments.delta');
  const id = await steerFirst(socket, 'keep it short');
  await socket.untilType('response.steer.accepted');
  world.model.release('go');
  const pending = await typed<Pending>(socket, 'response.steer.pending');
  assert.deepEqual(
    [pending.reason, pending.required_input, pending.stream_id],
    ['waiting_for_required_input', [{ type: 'function_call_output', call_id: 'call_1', name: 'status' }], 'main'],
  );
  const from = socket.events.length;
  const output = { type: 'function_call_output', call_id: 'call_1', output: 'half done' };
  socket.create([output], { previous_response_id: id, tools, stream_id: 'main' });
  assert.equal((await socket.untilEnd(from)).status, 'completed');
  const { body } = await world.call(
    'GET',
    `/v1/responses/${(await socket.untilType('response.created', from)).response.id}/input_items?order=asc`,
  );
  assert.deepEqual(
    (body['data'] as { type: string }[]).map(({ type }) => type),
    ['message', 'function_call_output'],
  );
  assert.deepEqual(
    asked(world, 1).map(([role]) => role),
    ['user', 'assistant', 'tool', 'user'],
    'a provider gets the output behind its call',
  );
});

story('a steer that cannot be taken, or comes to nothing, gives its input back', async (world) => {
  world.model.enqueue(held, httpError(400, { error: { message: 'no' } }));
  using socket = await SocketClient.open(world.client);
  const wrong: [object, string][] = [
    [{ previous_response_id: 'resp_none', input: 'x' }, 'response_not_found'],
    [{ previous_response_id: 'resp_none', input: [] }, 'invalid_input'],
    [{ previous_response_id: 'resp_none', input: [{ role: 'system', content: 'x' }] }, 'invalid_input'],
    [{ previous_response_id: 'resp_none', input: 'x', stream_id: 'main' }, 'invalid_input'],
  ];
  for (const [fields, code] of wrong) {
    const from = socket.events.length;
    socket.send({ type: 'response.steer', ...fields });
    const failed = await typed<Failed>(socket, 'response.steer.failed', from);
    assert.deepEqual([failed.error.type, failed.error.code], ['invalid_request_error', code]);
    assert.deepEqual(failed.steer.input, (fields as { input: unknown }).input);
    assert.equal(failed.steer.id, undefined);
  }
  let from = socket.events.length;
  socket.create('plan');
  await socket.untilText('Hel');
  const { id } = (await socket.untilType('response.created')).response;
  socket.sdk.send({ type: 'response.steer', previous_response_id: id, input: 'more' });
  const taken = await typed<Taken>(socket, 'response.steer.accepted', from);
  socket.send({ type: 'response.cancel', response_id: id });
  const failed = await typed<Failed>(socket, 'response.steer.failed', from);
  assert.deepEqual([failed.steer.id, failed.steer.input, failed.error.code], [taken.steer.id, 'more', 'response_not_active']);
  from = socket.events.length;
  socket.sdk.send({ type: 'response.steer', previous_response_id: id, input: 'late' });
  assert.equal((await typed<Failed>(socket, 'response.steer.failed', from)).error.code, 'response_already_completed');
  assert.equal(world.model.requests.length, 1);
});

story('a response of a conversation is steered in it; one that is not stored is gone on from', async (world) => {
  world.model.enqueue(held, chatAnswer('in it'), [sseHead, chat.content('Hel'), hold('on'), chat.finish(), done, end], chatAnswer('on'));
  using socket = await SocketClient.open(world.client);
  const conversation = await world.session();
  socket.create('plan', { conversation });
  await socket.untilText('Hel');
  await steerFirst(socket, 'shorter');
  await socket.untilType('response.steer.accepted');
  world.model.release('go');
  const next = await socket.untilEnds(2);
  assert.equal((next as unknown as { conversation: { id: string } }).conversation.id, conversation);
  assert.deepEqual(await world.userTexts(conversation), ['plan', 'shorter']);
  const from = socket.events.length;
  socket.create('again', { store: false });
  await socket.until((event) => event.type === 'response.output_text.delta', from);
  const { response } = await socket.untilType('response.created', from);
  socket.sdk.send({ type: 'response.steer', previous_response_id: response.id, input: 'and so on' });
  await socket.untilType('response.steer.accepted', from);
  world.model.release('on');
  const last = await socket.untilEnds(4);
  assert.deepEqual([last.status, last.previous_response_id], ['completed', response.id]);
  assert.deepEqual(asked(world, 3), [
    ['user', 'again'],
    ['assistant', 'Hel'],
    ['user', 'and so on'],
  ]);
});

const toolCall = { id: 'call_1', name: 'status', arguments: '{"n":1}' };

story('T7 · a steer ends a response behind a whole message: the call that would follow it is not begun', async (world) => {
  world.model.enqueue([sseHead, chat.content('Hello'), hold('go'), chat.toolCall(0, toolCall), stall], chatAnswer('instead'));
  using socket = await SocketClient.open(world.client);
  socket.create('plan', { tools: [{ type: 'function', name: 'status', parameters: { type: 'object', properties: {} } }] });
  await socket.untilText('Hello');
  const { response } = await socket.untilType('response.created');
  const { heard } = await watchSteer(world, response.id);
  await steerFirst(socket, 'no tools');
  await socket.untilType('response.steer.accepted');
  await heard;
  world.model.release('go');
  const steered = await socket.untilEnd();
  assert.deepEqual([steered.status, steered.incomplete_details?.reason], ['incomplete', 'steered']);
  assert.deepEqual(
    steered.output.map(({ type, content }) => [type, content?.[0]?.text]),
    [['message', 'Hello']],
  );
  assert.equal((await socket.untilEnds(2)).status, 'completed');
});

story('a steer in reasoning ends it at once: nothing that was to be read is torn', async (world) => {
  world.model.enqueue([sseHead, chat.delta({ reasoning_content: 'Let me see' }), stall], chatAnswer('shorter'));
  using socket = await SocketClient.open(world.client);
  socket.create('plan');
  await socket.untilType('response.reasoning_summary_text.delta');
  await steerFirst(socket, 'keep it short');
  const steered = await socket.untilEnd();
  assert.deepEqual(
    [steered.incomplete_details?.reason, steered.output.map(({ type, status }) => [type, status])],
    ['steered', [['reasoning', 'incomplete']]],
  );
  await world.model.clientClosed(1);
  assert.equal((await socket.untilEnds(2)).status, 'completed');
  assert.deepEqual(asked(world, 1).at(-1), ['user', 'keep it short']);
});

story('a response that was resumed on another connection is steered there', async (world) => {
  world.model.enqueue(held, chatAnswer('shorter'));
  const first = await SocketClient.open(world.client);
  first.create('plan');
  await first.untilText('Hel');
  const { id } = (await first.untilType('response.created')).response;
  first.reset();
  using socket = await SocketClient.open(world.client);
  socket.send({ type: 'response.resume', response_id: id });
  await steerFirst(socket, 'keep it short');
  await socket.untilType('response.steer.accepted');
  world.model.release('go');
  const next = await socket.untilEnds(2);
  assert.deepEqual([next.status, next.previous_response_id], ['completed', id]);
  assert.ok(socket.types.indexOf('response.resume.done') < socket.types.lastIndexOf('response.created'));
});

story('what was steered goes on when its client has gone: the new response is found by the id of the steer', async (world) => {
  world.model.enqueue(held, chatAnswer('shorter'));
  const socket = await SocketClient.open(world.client);
  socket.create('plan');
  await socket.untilText('Hel');
  await steerFirst(socket, 'keep it short');
  const { steer } = await typed<Taken>(socket, 'response.steer.accepted');
  socket.reset();
  await socket.closed;
  world.model.release('go');
  await world.model.nextRequest(2);
  assert.deepEqual(asked(world, 1).at(-1), ['user', 'keep it short']);
  const viewer = await world.watch(steer.id.replace('steer_', 'resp_'));
  await viewer.ended;
  assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'shorter']);
});

test('a steer reaches a worker of another process, by the database', { timeout: 60_000 }, async () => {
  await using world = await World.open({ hasGateway: false, config: { hasHeadStart: false } });
  await world.startGateway(null);
  world.model.enqueue([sseHead, chat.role(), stall], chatAnswer('shorter'));
  using socket = await SocketClient.open(world.client);
  socket.create('plan');
  await world.model.nextRequest(1);
  await steerFirst(socket, 'keep it short');
  assert.equal((await socket.untilEnd()).incomplete_details?.reason, 'steered');
  assert.equal((await socket.untilEnds(2)).status, 'completed');
});
