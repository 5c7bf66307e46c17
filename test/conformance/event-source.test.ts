/** `GET /v1/responses/{id}?stream=true` by the browser's own EventSource, which resumes by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';

test('every event carries its number as its id, [DONE] none', async () => {
  await using world = await World.open({
    model: () => ({ fallback: [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end] }),
  });
  world.model.release('go');
  const { id } = await world.hear('hi');
  const frames = (await (await fetch(`${world.url}/v1/responses/${id}?stream=true`)).text()).split('\n\n').filter((frame) => frame !== '');
  assert.equal(frames.pop(), 'data: [DONE]');
  frames.forEach((frame, seq) => assert.match(frame, new RegExp(`^event: [a-z_.]+\nid: ${seq}\ndata: \\{`)));
});
