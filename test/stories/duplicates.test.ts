/** T1: the same request again is the same turn, whoever sends it again, and through whichever gateway. */
import assert from 'node:assert/strict';
import { chat, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { begin, errorOf, eventsOf, post, read } from '../support/post.ts';
import { until } from '../support/until.ts';
import { story, type World } from '../support/world.ts';

const held = [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end];
const resend = { 'x-stainless-retry-count': '1' };

async function twoGateways(world: World): Promise<readonly [string, string]> {
  return [world.url, (await world.startGateway()).url];
}

/** All of it at once, every other one by the other gateway. */
async function fifty(urls: readonly [string, string], body: unknown, headers: Record<string, string>, model: World['model']) {
  const begun = await Promise.all(Array.from({ length: 50 }, (_, index) => begin(urls[index % 2 === 0 ? 0 : 1], body, headers)));
  // All are accepted by now: one that came after the end was got would be a new message.
  model.release('go');
  return Promise.all(begun.map(read));
}

for (const [how, headers] of [
  ['of one key', { 'idempotency-key': 'k' }],
  ['of a client that sends it again by itself', resend],
] as const) {
  story(`T1 · fifty equal requests ${how} at once are one turn, one model request and the same bytes`, async (world) => {
    world.model.enqueue(held);
    const urls = await twoGateways(world);
    const answers = await fifty(urls, { input: 'hi', stream: true }, headers, world.model);
    assert.equal(new Set(answers.map(eventsOf)).size, 1);
    assert.match(answers[0]?.text ?? '', /response\.completed/);
    assert.equal(world.model.requests.length, 1);
    assert.deepEqual(await world.acceptedInputs(), ['hi']);
    const history = await world.history(answers[0]?.headers.get('x-turnkeep-response-id') ?? '');
    assert.equal(history.events?.length, 11, 'a repeat costs no history');
  });
}

story('T1 · fifty blocking requests of one key in a conversation are one turn in it', async (world) => {
  world.model.enqueue(held);
  const urls = await twoGateways(world);
  const conversation = await world.session();
  const answers = await fifty(urls, { input: 'hi', conversation }, { 'idempotency-key': 'k' }, world.model);
  assert.equal(new Set(answers.map(({ text }) => text.trim())).size, 1);
  assert.deepEqual([world.model.requests.length, await world.userTexts(conversation)], [1, ['hi']]);
});

story('another body under a used key is 422 and names the key; the same one joins, also after the end', async (world) => {
  const key = { 'idempotency-key': 'k' };
  const first = await post(world.url, { input: 'hi' }, key);
  assert.deepEqual(errorOf(await post(world.url, { input: 'ho' }, key)), [422, 'Idempotency-Key', 'idempotency_key_reused']);
  assert.deepEqual(errorOf(await post(world.url, { input: 'hi', instructions: 'x' }, key))[0], 422);
  assert.equal((await post(world.url, { input: 'hi' }, key)).text, first.text);
  assert.equal(world.model.requests.length, 1);
});

story('a resend joins an end that nobody got, and is a new message once a client has got it', async (world) => {
  world.model.enqueue(held);
  const gone = await world.say('hi');
  await gone.untilText('Hel');
  gone.leave();
  await gone.ended;
  world.model.release('go');
  await world.history(gone.id);
  const joined = await post(world.url, { input: 'hi' }, resend);
  assert.equal(joined.json?.['id'], gone.id, 'it was settled, and nobody had its end');
  // Booked when the answer has been handed to the system, which may deliver it before that.
  await until(async () => (await world.database.ask('SELECT acknowledged FROM turns WHERE id = ?', gone.id))[0]?.['acknowledged'] === 1);
  const next = await post(world.url, { input: 'hi' }, resend);
  assert.notEqual(next.json?.['id'], gone.id, 'now somebody has');
  assert.equal(world.model.requests.length, 2);
  const other = await post(world.url, { input: 'hi' });
  assert.notEqual(other.json?.['id'], next.json?.['id'], 'a first attempt is always a new message');
});
