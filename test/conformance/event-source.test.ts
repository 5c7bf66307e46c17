/** `GET /v1/responses/{id}?stream=true` by the browser's own EventSource, which resumes by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { needChromium } from '../support/programs.ts';
import { World } from '../support/world.ts';
import { openPage } from './browser.ts';
import { startProxy } from './proxy.ts';

const eventTypes = [
  'created',
  'queued',
  'in_progress',
  'output_item.added',
  'content_part.added',
  'output_text.delta',
  'output_text.done',
  'content_part.done',
  'output_item.done',
  'completed',
];

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

test('EventSource: a stream cut in mid-answer goes on where it was, by the browser alone', async (t) => {
  const program = await needChromium(t);
  if (program === undefined) return;
  await using world = await World.open({
    model: () => ({ fallback: [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end] }),
  });
  const watched = await world.say('hi');
  await watched.untilText('Hel');
  await using proxy = await startProxy(world.url);
  await using page = await openPage(program);
  // Any page of the same origin: other origins may not ask.
  await page.goto(`${proxy.url}/healthz`);
  await page.evaluate(`
    globalThis.seen = [];
    const source = new EventSource('/v1/responses/${watched.id}?stream=true');
    const keep = ({ data }) => seen.push(JSON.parse(data));
    for (const type of ${JSON.stringify(eventTypes)}) source.addEventListener('response.' + type, keep);
    // Nothing follows it: who does not close here asks again for ever, and is told [DONE] again.
    source.onmessage = ({ data }) => { if (data === '[DONE]') { source.close(); globalThis.isDone = true; } };
    0`);
  await page.until(`seen.some((event) => event.delta === 'Hel')`);
  const before = proxy.connections;
  proxy.cut();
  world.model.release('go');
  await page.until('globalThis.isDone');
  await watched.ended;
  assert.ok(proxy.connections > before);
  assert.deepEqual(await page.evaluate('seen'), watched.events, 'no event is missed or told twice');
});
