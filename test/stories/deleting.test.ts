/** DELETE, of a response and of a conversation, while it runs and after. */
import assert from 'node:assert/strict';
import { chat, chatAnswer, hold, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { errorOf, post } from '../support/post.ts';
import type { Viewer } from '../support/viewer.ts';
import { story } from '../support/world.ts';

const stalled = [sseHead, chat.content('Hel'), hold('shown'), stall];

/** A stream that is cut says so by the missing [DONE]; one that ends shows the real end. */
function assertNoFalseEnd(viewer: Viewer): void {
  if (viewer.isDone) assert.deepEqual([viewer.last.type, viewer.last.response.status], ['response.incomplete', 'cancelled']);
  else assert.ok(!viewer.types.includes('response.completed'));
}

story('DELETE of a running response stops the model; it is gone at once, and twice is 404', async (world) => {
  world.model.enqueue(stalled);
  const conversation = await world.session();
  const other = (await world.startGateway()).url;
  const viewer = await world.say('hi', { conversation });
  await viewer.untilText('Hel');
  const blocking = post(other, { input: 'hi', conversation }, { 'x-stainless-retry-count': '1' }).catch(() => undefined);
  assert.deepEqual((await world.call('DELETE', `/v1/responses/${viewer.id}`)).body, { id: viewer.id, object: 'response', deleted: true });
  await world.model.clientClosed(1);
  await viewer.ended;
  assertNoFalseEnd(viewer);
  const answer = await blocking;
  if (answer?.json !== undefined) assert.equal(answer.json['status'], 'cancelled');
  for (const [method, path] of [
    ['DELETE', ''],
    ['GET', ''],
    ['GET', '?stream=true'],
    ['POST', '/cancel'],
  ] as const) {
    assert.equal((await world.call(method, `/v1/responses/${viewer.id}${path}`)).status, 404, `${method} ${path}`);
  }
  await world.history(viewer.id);
  // Its words stay in the conversation.
  const next = await world.hear('next', { conversation });
  assert.equal(next.last.response.status, 'completed');
  assert.match(world.model.requests.at(-1)?.bodyText ?? '', /"hi".*Hel/);
});

story('T1 · DELETE of a waiting response: no model call, its words stay where they were said', async (world) => {
  world.model.enqueue([sseHead, chat.content('Hel'), hold('go'), chat.finish(), ...chatAnswer().slice(-2)]);
  const conversation = await world.session();
  const viewers = [
    await world.say('one', { conversation }),
    await world.say('two', { conversation }),
    await world.say('three', { conversation }),
  ];
  await viewers[0]?.untilText('Hel');
  assert.equal((await world.call('DELETE', `/v1/responses/${viewers[1]!.id}`)).status, 200);
  world.model.release('go');
  await Promise.all(viewers.map((viewer) => viewer.ended));
  assertNoFalseEnd(viewers[1]!);
  assert.equal(world.model.requests.length, 2);
  assert.deepEqual(await world.userTexts(conversation), ['one', 'two', 'three']);
  assert.deepEqual(await world.acceptedInputs(), ['one', '', 'three'], 'its own row has forgotten them');
});

story('DELETE of the previous of another leaves the other its past, and is no previous any more', async (world) => {
  const first = await world.hear('one');
  const second = await world.hear('two', { previous_response_id: first.id });
  assert.equal((await world.call('DELETE', `/v1/responses/${first.id}`)).status, 200);
  const third = await world.hear('three', { previous_response_id: second.id });
  assert.equal(messagesOf(world.model.requests.at(-1)).length, 5);
  assert.deepEqual(errorOf(await post(world.url, { input: 'on', previous_response_id: first.id })), [
    400,
    'previous_response_id',
    'previous_response_not_found',
  ]);
  assert.equal((await world.call('DELETE', `/v1/responses/${third.id}`)).status, 200);
  assert.equal((await world.call('GET', `/v1/responses/${second.id}`)).status, 200);
});

story('DELETE of a conversation cancels what runs and waits in it, closes the socket, and lets nothing in after', async (world) => {
  world.model.enqueue(stalled);
  const conversation = await world.session();
  const viewers = [];
  for (const input of ['one', 'two', 'three']) viewers.push(await world.say(input, { conversation }));
  await world.model.reached('shown');
  const deleted = world.call('DELETE', `/v1/conversations/${conversation}`);
  const late = [];
  for (let index = 0; index < 10; index += 1) {
    late.push(post(world.url, { input: `late ${index}`, conversation }));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await deleted).status, 200);
  for (const { status, json } of await Promise.all(late)) {
    assert.ok(status === 404 || json?.['status'] === 'cancelled', JSON.stringify(json));
  }
  await world.model.clientClosed(1);
  await Promise.all(viewers.map((viewer) => viewer.ended));
  assert.deepEqual(
    viewers.map(({ last }) => last.response.status),
    ['cancelled', 'cancelled', 'cancelled'],
  );
  assert.equal(world.model.requests.length, 1);
  assert.equal((await world.call('DELETE', `/v1/conversations/${conversation}`)).status, 404);
  assert.equal((await world.call('GET', `/v1/responses/${viewers[0]!.id}`)).status, 200, 'its responses stay');
  assert.deepEqual(errorOf(await post(world.url, { input: 'on', conversation })), [404, 'conversation', 'not_found']);
});
