/** The Responses API over a WebSocket, with the `ResponsesWS` of the `openai` package on a real server. */
import assert from 'node:assert/strict';
import { chat, chatAnswer, done, end, hold, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { SocketClient } from '../support/socket-client.ts';
import { story } from '../support/world.ts';

const held = (name: string, one = 'Hel', two = 'lo'): Script => [
  sseHead,
  chat.content(one),
  hold(name),
  chat.content(two),
  chat.finish(),
  done,
  end,
];

story('T7 · the messages of a socket are the data of an event stream, byte for byte, while it runs and after', async (world) => {
  world.model.enqueue(held('go'));
  using socket = await SocketClient.open(world.client);
  socket.create('hi');
  const { response } = await socket.untilType('response.created');
  await socket.untilText('Hel');
  const viewer = await world.watch(response.id);
  await viewer.untilText('Hel');
  world.model.release('go');
  const ended = await socket.untilEnd();
  await viewer.ended;
  const late = await world.watch(response.id);
  await late.ended;
  assert.deepEqual([ended.status, ended.output[0]?.content?.[0]?.text], ['completed', 'Hello']);
  assert.deepEqual(socket.data, viewer.data);
  assert.deepEqual(socket.data, late.data);
});

story('several responses go over one socket, each going on from the one before', async (world) => {
  world.model.enqueue(chatAnswer('one'), chatAnswer('two'));
  using socket = await SocketClient.open(world.client);
  socket.sdk.send({ type: 'response.create', model: 'scripted', input: 'first' });
  const first = await socket.untilEnd();
  const from = socket.events.length;
  socket.sdk.send({ type: 'response.create', model: 'scripted', input: 'second', previous_response_id: first.id });
  const second = await socket.untilEnd(from);
  assert.deepEqual([first.status, second.status, second.previous_response_id], ['completed', 'completed', first.id]);
  assert.deepEqual(
    messagesOf(world.model.requests[1]).map(({ role, content }) => [role, content]),
    [
      ['user', 'first'],
      ['assistant', 'one'],
      ['user', 'second'],
    ],
  );
});

story('what is wrong with a message is told with its field and its status, and the socket goes on', async (world) => {
  world.model.enqueue(chatAnswer('still here'));
  using socket = await SocketClient.open(world.client);
  const wrong: [string, number, string | null][] = [
    ['{"type":', 400, null],
    ['[]', 400, null],
    ['{}', 400, 'type'],
    ['{"type":"session.update"}', 400, 'type'],
    ['{"type":"response.create"}', 400, 'input'],
    ['{"type":"response.create","input":"hi","temperature":3}', 400, 'temperature'],
    ['{"type":"response.create","input":"hi","background":true}', 400, 'background'],
    ['{"type":"response.create","input":"hi","messages":[]}', 400, 'messages'],
    ['{"type":"response.create","input":"hi","stream_id":""}', 400, 'stream_id'],
    ['{"type":"response.create","input":"hi","previous_response_id":"resp_none"}', 400, 'previous_response_id'],
    ['{"type":"response.create","input":"hi","conversation":"conv_none"}', 404, 'conversation'],
    ['{"type":"response.create","input":"hi","x-turnkeep-response-id":"mine"}', 400, 'x-turnkeep-response-id'],
    ['{"type":"response.cancel"}', 400, 'response_id'],
    ['{"type":"response.cancel","response_id":"resp_none"}', 404, 'response_id'],
    ['{"type":"response.resume","response_id":"resp_none"}', 404, 'response_id'],
    ['{"type":"response.resume","response_id":"resp_none","starting_after":-1}', 400, 'starting_after'],
    ['{"type":"response.steer","input":"hi"}', 400, 'previous_response_id'],
  ];
  for (const [text, status, param] of wrong) {
    const from = socket.events.length;
    socket.sdk.sendRaw(text);
    const error = await socket.untilError(from);
    assert.deepEqual([error.status, error.param, error.error.param], [status, param, param], text);
    assert.ok(error.error.message.length > 0);
  }
  for (const [bytes, options] of [
    [Buffer.from('{"type":"\xff"}', 'latin1'), { binary: false }],
    [Buffer.from('{"type":"response.create","input":"hi"}'), { binary: true }],
  ] as const) {
    const from = socket.events.length;
    socket.raw.send(bytes, options);
    assert.equal((await socket.untilError(from)).status, 400);
  }
  const from = socket.events.length;
  socket.create('hi');
  assert.equal((await socket.untilEnd(from)).status, 'completed');
  assert.equal(world.model.requests.length, 1);
});

story('a message that is too long closes its connection, and no other', async (world) => {
  using other = await SocketClient.open(world.client);
  const socket = await SocketClient.open(world.client);
  socket.create('x'.repeat(17 * 1024 * 1024));
  assert.equal(await socket.closed, 1009);
  other.create('hi');
  assert.equal((await other.untilEnd()).status, 'completed');
});

story('T5 · a cancel by the socket closes the connection to the provider, and what was shown stays', async (world) => {
  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  using socket = await SocketClient.open(world.client);
  socket.create('hi');
  await socket.untilText('Hel');
  socket.send({ type: 'response.cancel' });
  const ended = await socket.untilEnd();
  assert.deepEqual([ended.status, ended.incomplete_details?.reason], ['cancelled', 'cancelled']);
  assert.equal(ended.output[0]?.content?.[0]?.text, 'Hel');
  await world.model.clientClosed(1);
});

story('T7 · a cancel of a response that the socket shows brings its end once', async (world) => {
  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  using socket = await SocketClient.open(world.client);
  socket.create('hi');
  await socket.untilText('Hel');
  socket.send({ type: 'response.cancel' });
  await socket.untilEnd();
  // Messages are answered behind the cancel before them.
  for (const _ of [1, 2, 3]) {
    const from = socket.events.length;
    socket.send({ type: 'response.cancel', response_id: 'resp_none' });
    await socket.untilError(from);
  }
  assert.equal(socket.types.filter((type) => type === 'response.incomplete').length, 1);
});

story('a response that the socket does not show is cancelled too: its last event says so', async (world) => {
  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const viewer = await world.say('hi');
  await viewer.untilText('Hel');
  using socket = await SocketClient.open(world.client);
  socket.send({ type: 'response.cancel', response_id: viewer.id });
  const ended = await socket.untilEnd();
  await viewer.ended;
  assert.deepEqual([ended.id, ended.status], [viewer.id, 'cancelled']);
  assert.equal(socket.data.at(-1), viewer.data.at(-1));
  const from = socket.events.length;
  socket.send({ type: 'response.cancel', response_id: viewer.id });
  assert.equal((await socket.untilEnd(from)).status, 'cancelled', 'again: the same');
});

story('a cancel that comes first is remembered: the response is cancelled as it comes, and nothing is asked', async (world) => {
  using socket = await SocketClient.open(world.client);
  socket.send({ type: 'response.cancel', response_id: 'resp_early' });
  assert.equal((await socket.untilError()).status, 404);
  socket.create('hi', { 'x-turnkeep-response-id': 'resp_early' });
  const ended = await socket.untilEnd();
  assert.deepEqual([ended.id, ended.status], ['resp_early', 'cancelled']);
  assert.equal(world.model.requests.length, 0);
});

story('in a busy conversation a message says what to do, or the handshake says it for all of them', async (world) => {
  world.model.enqueue(held('go'), chatAnswer('instead'));
  const conversation = await world.session();
  using socket = await SocketClient.open(world.client, { headers: { 'x-turnkeep-when-busy': 'reject' } });
  socket.create('first', { conversation });
  await socket.untilText('Hel');
  let from = socket.events.length;
  socket.create('refused', { conversation, stream_id: 'two' });
  const error = await socket.untilError(from);
  assert.deepEqual([error.status, error.code, error.stream_id], [409, 'conversation_locked', 'two']);
  from = socket.events.length;
  socket.create('instead', { conversation, stream_id: 'two', 'x-turnkeep-when-busy': 'interrupt' });
  await socket.untilEnds(2);
  const statuses = socket.events.flatMap((event) => {
    const { response } = event as unknown as { response?: { status: string } };
    return response !== undefined && !['queued', 'in_progress'].includes(response.status) ? [response.status] : [];
  });
  assert.deepEqual(statuses, ['cancelled', 'completed']);
  assert.deepEqual(await world.userTexts(conversation), ['first', 'instead']);
});
