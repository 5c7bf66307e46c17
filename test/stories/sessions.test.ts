/** Conversations: one turn at a time, in order, each answered once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatAnswer, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { asked } from '../support/cases.ts';
import { story, World } from '../support/world.ts';

story('T1 · fifty messages to one session at random moments are each answered once, in order', async (world) => {
  const conversation = await world.session();
  const names = Array.from({ length: 50 }, (_, index) => `message ${index}`);
  const viewers = [];
  for (const name of names) {
    viewers.push(world.say(name, { conversation }));
    for (let ticks = Math.floor(Math.random() * 30); ticks > 0; ticks -= 1) await new Promise((resolve) => setImmediate(resolve));
  }
  const heard = await Promise.all(viewers);
  await Promise.all(heard.map((viewer) => viewer.ended));
  assert.deepEqual(
    heard.map((viewer) => [viewer.last.response.status, viewer.text]),
    names.map(() => ['completed', 'Hello world']),
  );
  // Two connections may overtake each other on the way in; from the acceptance on the order is kept.
  const accepted = await world.acceptedInputs();
  assert.deepEqual(accepted.toSorted(), names.toSorted());
  assert.deepEqual(world.model.requests.map(asked), accepted);
  assert.deepEqual(await world.userTexts(conversation), accepted);
  world.model.requests.forEach((request, index) => {
    const { messages } = request.body as { messages: unknown[] };
    assert.equal(messages.length, 2 * index + 1, 'each prompt holds all that came before, once');
  });
});

story('T13 · items say which turn they are of where that is asked for, and nowhere else', async (world) => {
  const conversation = await world.session();
  world.model.enqueue(chatAnswer('hello'));
  const { id } = await world.hear('one', { conversation });
  await world.call('POST', `/v1/conversations/${conversation}/items`, { items: [{ type: 'message', role: 'user', content: 'by hand' }] });
  const items = async (query: string): Promise<readonly Record<string, unknown>[]> =>
    (await world.call('GET', `/v1/conversations/${conversation}/items?order=asc${query}`)).body['data'] as Record<string, unknown>[];
  assert.deepEqual(
    (await items('&turns=true')).map(({ turn }) => turn),
    [id, id, null],
  );
  for (const query of ['', '&turns=false']) assert.ok((await items(query)).every((item) => !('turn' in item)));
  assert.equal((await world.call('GET', `/v1/conversations/${conversation}/items?turns=maybe`)).status, 400);
});

story('a chain of previous_response_id branches from any turn, and instructions are for one turn only', async (world) => {
  const first = await world.hear('one', { instructions: 'be brief' });
  const second = await world.hear('two', { previous_response_id: first.id });
  const other = await world.hear('three', { previous_response_id: first.id });
  assert.notEqual(second.id, other.id);
  const prompts = world.model.requests.map((request) =>
    (request.body as { messages: { role: string; content: string }[] }).messages.map(({ role, content }) => `${role}: ${content}`),
  );
  assert.deepEqual(prompts, [
    ['system: be brief', 'user: one'],
    ['user: one', 'assistant: Hello world', 'user: two'],
    ['user: one', 'assistant: Hello world', 'user: three'],
  ]);
});

test('two sessions run side by side', async () => {
  await using world = await World.open({
    model: () => ({
      fallback: (request) =>
        asked(request) === 'slow' ? [sseHead, chat.content('Hel'), hold('go'), chat.finish(), done, end] : chatAnswer('quick'),
    }),
  });
  const slow = await world.say('slow', { conversation: await world.session() });
  await slow.untilText('Hel');
  const quick = await world.hear('quick', { conversation: await world.session() });
  assert.equal(quick.text, 'quick');
  world.model.release('go');
  await slow.ended;
  assert.equal(slow.last.response.status, 'completed');
});
