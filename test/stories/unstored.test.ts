/** `store: false`: runs as durably as any turn, and leaves nothing. */
import assert from 'node:assert/strict';
import { chat, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { errorOf, post } from '../support/post.ts';
import { story, type World } from '../support/world.ts';

const marker = 'rhubarb';
const held = [sseHead, chat.content(`${marker} one`), hold('go'), chat.content(` ${marker} two`), chat.finish(), done, end];

async function purge(world: World): Promise<void> {
  const later = Date.now() + 1_000;
  while ((await world.store.purgeUnstored({ acknowledgedBeforeMs: later, settledBeforeMs: 0 })) > 0);
}

story('a turn that is not to be stored streams, can be read while it runs, and is gone from every file after', async (world) => {
  const conversation = await world.session();
  await world.hear('hi', { conversation });
  const before = await world.call('GET', `/v1/conversations/${conversation}/items`);
  world.model.enqueue(held);
  const viewer = await world.say(`${marker} asked`, { conversation, store: false, instructions: `${marker} system` });
  await viewer.untilText('one');
  const { status, body } = await world.call('GET', `/v1/responses/${viewer.id}`);
  assert.deepEqual([status, body['status'], body['store']], [200, 'in_progress', false]);
  const other = await world.watch(viewer.id);
  const early = await post(world.url, { input: 'on', previous_response_id: viewer.id });
  assert.deepEqual(errorOf(early), [400, 'previous_response_id', 'previous_response_not_settled']);
  assert.ok((await world.database.find(marker)).length > 0, 'while it runs it is there to be resumed');
  world.model.release('go');
  await Promise.all([viewer.ended, other.ended]);
  assert.deepEqual(other.data, viewer.data);
  assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', `${marker} one ${marker} two`]);
  assert.equal(messagesOf(world.model.requests.at(-1)).length, 4, 'it has read what came before');
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '?stream=true'],
    ['GET', '/input_items'],
    ['POST', '/cancel'],
    ['DELETE', ''],
  ] as const) {
    assert.equal((await world.call(method, `/v1/responses/${viewer.id}${path}`)).status, 404, `${method} ${path}`);
  }
  const late = await post(world.url, { input: 'on', previous_response_id: viewer.id });
  assert.deepEqual(errorOf(late), [400, 'previous_response_id', 'previous_response_not_found']);
  await world.history(viewer.id);
  await purge(world);
  assert.deepEqual(await world.database.find(marker), []);
  assert.deepEqual(await world.call('GET', `/v1/conversations/${conversation}/items`), before);
  const next = await world.hear('next', { conversation });
  assert.equal(next.last.response.status, 'completed');
  assert.ok(!world.model.requests.at(-1)?.bodyText.includes(marker));
});

story('the only viewer of a turn that is not to be stored is cut off: its own resend gets all of it', async (world) => {
  world.model.enqueue(held);
  const body = { input: 'hi', store: false };
  const gone = await world.say('hi', { store: false });
  await gone.untilText('one');
  gone.leave();
  world.model.release('go');
  await world.history(gone.id);
  const now = Date.now() + 1_000;
  assert.equal(await world.store.purgeUnstored({ acknowledgedBeforeMs: now, settledBeforeMs: 0 }), 0, 'nobody has its end');
  const again = await post(world.url, body, { 'x-stainless-retry-count': '1' });
  assert.deepEqual([again.json?.['id'], again.json?.['status']], [gone.id, 'completed']);
  assert.equal(world.model.requests.length, 1);
  const background = await post(world.url, { ...body, background: true });
  assert.deepEqual(errorOf(background).slice(0, 2), [400, 'store']);
});
