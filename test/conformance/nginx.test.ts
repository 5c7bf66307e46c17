/** Behind nginx with its defaults: events come as they are said, and silence is no end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { chat, done, end, hold, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { needNginx } from '../support/programs.ts';
import { SocketClient } from '../support/socket-client.ts';
import { Viewer } from '../support/viewer.ts';
import { World } from '../support/world.ts';
import { startNginx } from './nginx.ts';

const words = ['one ', 'two ', 'three'];
const heldAnswer: Script = [sseHead, ...words.flatMap((word) => [chat.content(word), hold(word)]), chat.finish(), done, end];

for (const [version, settings] of [
  ['HTTP/1.0, its default', ''],
  ['HTTP/1.1', 'proxy_http_version 1.1; proxy_set_header Connection "";'],
] as const) {
  test(`nginx: each event passes at once, buffering on (${version})`, async (t) => {
    const program = await needNginx(t);
    if (program === undefined) return;
    await using world = await World.open({ model: () => ({ fallback: heldAnswer }) });
    await using nginx = await startNginx(program, world.url, settings);
    const viewer = await Viewer.open(`${nginx.url}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input: 'hi', stream: true }),
    });
    let said = '';
    for (const word of words) {
      said += word;
      await viewer.untilText(said);
      assert.equal(viewer.text, said, 'the model says no more before this was seen');
      world.model.release(word);
    }
    await viewer.ended;
    assert.deepEqual([viewer.isDone, viewer.last.response.status], [true, 'completed']);
    const replay = await world.watch(viewer.id);
    await replay.ended;
    assert.deepEqual(viewer.data, replay.data);
  });
}

test('nginx: a silence longer than its read timeout is bridged by comments', async (t) => {
  const program = await needNginx(t);
  if (program === undefined) return;
  await using world = await World.open({ idleCommentMs: 500, model: () => ({ fallback: heldAnswer }) });
  await using nginx = await startNginx(program, world.url, 'proxy_read_timeout 5s;');
  const viewer = await Viewer.open(`${nginx.url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: 'hi', stream: true }),
  });
  await viewer.untilText('one ');
  // Longer than nginx would wait, which is longer than this process may stand still.
  await viewer.untilComments(11);
  for (const word of words) world.model.release(word);
  await viewer.ended;
  assert.deepEqual([viewer.isDone, viewer.text], [true, words.join('')]);
});

test('nginx: a blocking answer, and the openai client through it', async (t) => {
  const program = await needNginx(t);
  if (program === undefined) return;
  await using world = await World.open();
  await using nginx = await startNginx(program, world.url);
  const client = new OpenAI({ baseURL: `${nginx.url}/v1`, apiKey: 'none', maxRetries: 0 });
  assert.equal((await client.responses.create({ model: 'scripted', input: 'hi' })).output_text, 'Hello world');
  assert.equal((await client.responses.stream({ model: 'scripted', input: 'hi' }).finalResponse()).output_text, 'Hello world');
});

test('nginx: the headers of a whole answer pass while the model is still at it, so that no client gives up on them', async (t) => {
  const program = await needNginx(t);
  if (program === undefined) return;
  await using world = await World.open({ model: () => ({ fallback: heldAnswer }) });
  await using nginx = await startNginx(program, world.url);
  const headers = { 'content-type': 'application/json' };
  // Chat Completions hold theirs for a while, so that a quick failure can have its status: not awaited here.
  const response = await fetch(`${nginx.url}/v1/responses`, { method: 'POST', headers, body: JSON.stringify({ input: 'hi' }) });
  assert.equal(response.status, 200);
  for (const word of words) world.model.release(word);
  assert.equal(((await response.json()) as { status: string }).status, 'completed');
});

test('nginx: a WebSocket passes, its events at once, and the pings keep it through silences', async (t) => {
  const program = await needNginx(t);
  if (program === undefined) return;
  await using world = await World.open({ model: () => ({ fallback: heldAnswer }), idleCommentMs: 500 });
  // As docs/websocket.md says, and nginx gives up on a silence of five seconds, longer than this process may stand still.
  const settings = `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
    proxy_read_timeout 5s; proxy_send_timeout 5s;`;
  await using nginx = await startNginx(program, world.url, settings);
  const client = new OpenAI({ baseURL: `${nginx.url}/v1`, apiKey: 'none', maxRetries: 0 });
  using socket = await SocketClient.open(client);
  // So many pings are longer than nginx would wait.
  let pings = 0;
  await new Promise<void>((resolve) => {
    socket.raw.on('ping', () => {
      pings += 1;
      if (pings === 11) resolve();
    });
  });
  socket.create('hi');
  let said = '';
  for (const word of words) {
    said += word;
    await socket.untilText(said);
    world.model.release(word);
  }
  const { id, status } = await socket.untilEnd();
  assert.equal(status, 'completed');
  const replay = await world.watch(id);
  await replay.ended;
  assert.deepEqual(socket.data, replay.data);
});
