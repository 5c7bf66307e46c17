/** Several responses of one socket at once, and what a connection alone remembers. */
import assert from 'node:assert/strict';
import { chat, chatAnswer, chatToolCalls, done, end, hold, reset, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { SocketClient } from '../support/socket-client.ts';
import { story, type World } from '../support/world.ts';

const held = (name: string, one: string, two: string): Script => [
  sseHead,
  chat.content(one),
  hold(name),
  chat.content(two),
  chat.finish(),
  done,
  end,
];

function asked(world: World, request: number): (readonly [string, string])[] {
  return messagesOf(world.model.requests[request]).map(({ role, content }) => [role, content] as const);
}

story('responses of named streams run beside each other and say their name; in one stream they wait for each other', async (world) => {
  world.model.enqueue(held('plan', 'a', 'b'), held('risk', 'c', 'd'), chatAnswer('e'));
  using socket = await SocketClient.open(world.client);
  socket.create('one', { stream_id: 'plan' });
  await socket.until((event) => event.type === 'response.output_text.delta' && event['stream_id'] === 'plan');
  socket.create('two', { stream_id: 'risk' });
  socket.create('three', { stream_id: 'plan' });
  await socket.until((event) => event.type === 'response.output_text.delta' && event['stream_id'] === 'risk');
  assert.equal(world.model.requests.length, 2, 'the third waits in its stream');
  world.model.release('risk');
  await socket.until((event) => event.type === 'response.completed' && event['stream_id'] === 'risk');
  assert.equal(world.model.requests.length, 2);
  world.model.release('plan');
  const isEndOf = (name: string) => (event: { type: string; [key: string]: unknown }) =>
    event.type === 'response.completed' && event['stream_id'] === name;
  await socket.until(isEndOf('plan'));
  const from = socket.events.findIndex(isEndOf('plan')) + 1;
  await socket.until(isEndOf('plan'), from);
  assert.deepEqual(asked(world, 2), [['user', 'three']]);
  // Without its stream's name each message is what the journal has.
  for (const name of ['plan', 'risk']) {
    const texts = socket.data.filter((_, index) => socket.events[index]?.['stream_id'] === name);
    const { response } = JSON.parse(texts[0] ?? '') as { response: { id: string } };
    const viewer = await world.watch(response.id);
    await viewer.ended;
    const bare = texts.slice(0, viewer.data.length).map((text) => text.replace(`,"stream_id":"${name}"}`, '}'));
    assert.deepEqual(bare, viewer.data);
  }
});

story(
  'T7 · a socket that is reset in mid-answer is resumed by an event stream and by another socket; nothing is asked again',
  async (world) => {
    world.model.enqueue(held('go', 'Hel', 'lo'));
    const cut = await SocketClient.open(world.client);
    cut.create('hi', { 'x-turnkeep-response-id': 'resp_mine' });
    await cut.untilText('Hel');
    const seen = cut.events.at(-1)?.sequence_number ?? -1;
    cut.reset();
    await cut.closed;
    using socket = await SocketClient.open(world.client);
    socket.send({ type: 'response.resume', response_id: 'resp_mine', starting_after: seen });
    const viewer = await world.watch('resp_mine', seen);
    world.model.release('go');
    const ended = await socket.untilEnd();
    await viewer.ended;
    assert.equal(ended.status, 'completed');
    const end = await socket.untilType('response.resume.done');
    assert.equal(end['response_id'], 'resp_mine');
    assert.deepEqual(socket.data.slice(0, -1), viewer.data);
    const whole = await world.watch('resp_mine');
    await whole.ended;
    assert.deepEqual([...cut.data, ...viewer.data], whole.data);
    // Past the end there is nothing to show.
    const from = socket.events.length;
    socket.send({ type: 'response.resume', response_id: 'resp_mine', starting_after: ended.status.length + 1_000, stream_id: 'again' });
    assert.equal((await socket.untilType('response.resume.done', from))['stream_id'], 'again');
    assert.equal(socket.events.length, from + 1);
    assert.equal(world.model.requests.length, 1);
  },
);

story('the same idempotency key, on another socket too, is the same response', async (world) => {
  world.model.enqueue(held('go', 'Hel', 'lo'));
  const first = await SocketClient.open(world.client);
  first.create('hi', { 'idempotency-key': 'k1' });
  await first.untilText('Hel');
  const { response } = await first.untilType('response.created');
  first.reset();
  using second = await SocketClient.open(world.client);
  second.create('hi', { 'idempotency-key': 'k1' });
  await second.untilText('Hel');
  world.model.release('go');
  assert.equal((await second.untilEnd()).id, response.id);
  const from = second.events.length;
  second.create('something else', { 'idempotency-key': 'k1' });
  const error = await second.untilError(from);
  assert.deepEqual([error.status, error.param], [422, 'Idempotency-Key']);
  assert.equal(world.model.requests.length, 1);
});

story('store: false · the last response of a stream is gone on from on its own connection, and unknown on any other', async (world) => {
  world.model.enqueue(
    chatAnswer('one'),
    chatToolCalls({ id: 'call_1', name: 'look', arguments: {} }),
    chatAnswer('three'),
    chatAnswer('fork'),
  );
  const tools = [{ type: 'function', name: 'look', parameters: { type: 'object', properties: {} } }];
  using socket = await SocketClient.open(world.client);
  socket.create('first', { store: false });
  const first = await socket.untilEnd();
  let from = socket.events.length;
  socket.create([{ role: 'user', content: 'second' }], { store: false, previous_response_id: first.id, tools });
  const second = await socket.untilEnd(from);
  assert.deepEqual([second.status, second.previous_response_id], ['completed', first.id]);
  from = socket.events.length;
  const output = { type: 'function_call_output', call_id: 'call_1', output: 'seen' };
  socket.create([output], { store: false, previous_response_id: second.id, tools });
  const third = await socket.untilEnd(from);
  assert.equal(third.output[0]?.content?.[0]?.text, 'three');
  assert.deepEqual(
    asked(world, 2).map(([role]) => role),
    ['user', 'assistant', 'user', 'assistant', 'tool'],
  );
  // Only the last of the stream is there; another stream may go on from it.
  from = socket.events.length;
  socket.create('fork', { store: false, previous_response_id: third.id, stream_id: 'other' });
  assert.equal((await socket.untilEnd(from)).status, 'completed');
  from = socket.events.length;
  socket.create('late', { store: false, previous_response_id: first.id });
  const error = await socket.untilError(from);
  assert.deepEqual([error.status, error.code, error.param], [400, 'previous_response_not_found', 'previous_response_id']);
  using stranger = await SocketClient.open(world.client);
  stranger.create('hi', { store: false, previous_response_id: third.id });
  assert.equal((await stranger.untilError()).code, 'previous_response_not_found');
  assert.equal(world.model.requests.length, 4);
});

story('generate: false · nothing is asked of the model, and the next response goes on from what was prepared', async (world) => {
  world.model.enqueue(chatAnswer('ready'));
  using socket = await SocketClient.open(world.client);
  socket.create([{ role: 'developer', content: 'be brief' }], { store: false, generate: false });
  const prepared = await socket.untilEnd();
  assert.deepEqual(socket.types, ['response.created', 'response.in_progress', 'response.completed']);
  assert.deepEqual([prepared.status, prepared.output], ['completed', []]);
  const from = socket.events.length;
  socket.create('go', { store: false, previous_response_id: prepared.id });
  const next = await socket.untilEnd(from);
  assert.equal(next.previous_response_id, prepared.id);
  assert.deepEqual(
    asked(world, 0).map(([, content]) => content),
    ['be brief', 'go'],
  );
  assert.equal(world.model.requests.length, 1);
});

story('a socket that ends cancels nothing', async (world) => {
  world.model.enqueue(held('go', 'Hel', 'lo'));
  const socket = await SocketClient.open(world.client);
  socket.create('hi');
  await socket.untilText('Hel');
  const { response } = await socket.untilType('response.created');
  socket.sdk.close();
  await socket.closed;
  world.model.release('go');
  const viewer = await world.watch(response.id);
  await viewer.ended;
  assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'Hello']);
});

story('T3 · what fails before it has started is asked again under a socket as everywhere', async (world) => {
  world.model.enqueue([reset], chatAnswer('Hello'));
  using socket = await SocketClient.open(world.client);
  socket.create('hi');
  assert.equal((await socket.untilEnd()).status, 'completed');
  assert.equal(world.model.requests.length, 2);
});
