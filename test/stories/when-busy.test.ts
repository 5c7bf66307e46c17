/** A session that is busy: wait, be refused, or interrupt; and how many may wait. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { chat, chatAnswer, done, end, hold, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { asked, messagesOf } from '../support/cases.ts';
import { errorOf, post } from '../support/post.ts';
import { until } from '../support/until.ts';
import { story, World } from '../support/world.ts';

const held: Script = [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end];
const stalled: Script = [sseHead, chat.content('Hel'), stall];
const stopped = 'Hel\n\n[The user stopped this answer before it was complete.]';
const busy = (how: string) => ({ 'x-turnkeep-when-busy': how });

function prompt(world: World): string[] {
  return messagesOf(world.model.requests.at(-1)).map(({ role, content }) => `${role}: ${content}`);
}

story('reject: 409 to be sent once, by the stock client too; of two at once on an idle session one is accepted', async (world) => {
  world.model.enqueue(held);
  const conversation = await world.session();
  const [a, b] = [
    post(world.url, { input: 'a', conversation }, busy('reject')),
    post(world.url, { input: 'b', conversation }, busy('reject')),
  ];
  await world.model.reached('go');
  let posts = 0;
  const client = new OpenAI({
    baseURL: `${world.url}/v1`,
    apiKey: 'none',
    maxRetries: 2,
    fetch: async (url, init) => {
      posts += 1;
      return fetch(url, init);
    },
  });
  const refused = client.responses.create({ model: 'scripted', input: 'c', conversation }, { headers: busy('reject') });
  await assert.rejects(refused, { status: 409, code: 'conversation_locked' });
  assert.equal(posts, 1);
  world.model.release('go');
  const answers = (await Promise.all([a, b])).toSorted((x, y) => x.status - y.status);
  assert.equal(answers[0]?.json?.['status'], 'completed');
  assert.ok(answers[1]);
  assert.deepEqual(errorOf(answers[1]), [409, 'conversation', 'conversation_locked']);
  assert.equal(answers[1].headers.get('x-should-retry'), 'false');
  assert.deepEqual([world.model.requests.length, (await world.acceptedInputs()).length], [1, 1]);
});

story('interrupt: the running turn ends cancelled with what it said, a waiting one keeps its turn, the model is told', async (world) => {
  world.model.enqueue(stalled, chatAnswer('waited'), chatAnswer('new'));
  const conversation = await world.session();
  const running = await world.say('first', { conversation });
  await running.untilText('Hel');
  const waiting = await world.say('second', { conversation });
  const next = await world.say('third', { conversation }, busy('interrupt'));
  await Promise.all([running.ended, waiting.ended, next.ended]);
  assert.deepEqual(
    [running, waiting, next].map(({ last, text }) => [last.response.status, text]),
    [
      ['cancelled', 'Hel'],
      ['completed', 'waited'],
      ['completed', 'new'],
    ],
  );
  await world.model.clientClosed(1);
  assert.deepEqual(prompt(world), ['user: first', `assistant: ${stopped}`, 'user: second', 'assistant: waited', 'user: third']);
});

story('interrupt, three in a row: only the last one runs to its end', async (world) => {
  world.model.enqueue(stalled);
  const conversation = await world.session();
  const first = await world.say('zero', { conversation });
  await first.untilText('Hel');
  const names = ['one', 'two', 'three'];
  const later = [];
  // In order, but without a wait for what they bring about.
  for (const input of names) {
    later.push(post(world.url, { input, conversation }, { ...busy('interrupt'), 'x-turnkeep-response-id': `resp_${input}` }));
    await until(async () => (await world.store.findTurn('default', `resp_${input}`)) !== undefined);
  }
  const answers = await Promise.all(later);
  await first.ended;
  assert.deepEqual(
    [first.last.response.status, ...answers.map(({ json }) => json?.['status'])],
    ['cancelled', 'cancelled', 'cancelled', 'completed'],
  );
  assert.deepEqual(await world.userTexts(conversation), ['zero', ...names]);
  assert.equal(asked(world.model.requests.at(-1)!), 'three');
});

story('enqueue keeps the order in which turns were accepted, with cancels among them', async (world) => {
  world.model.enqueue(held);
  const conversation = await world.session();
  const names = Array.from({ length: 8 }, (_, index) => `message ${index}`);
  const viewers = [];
  for (const name of names) viewers.push(await world.say(name, { conversation }));
  await world.call('POST', `/v1/responses/${viewers[3]!.id}/cancel`);
  await world.call('POST', `/v1/responses/${viewers[6]!.id}/cancel`);
  world.model.release('go');
  await Promise.all(viewers.map((viewer) => viewer.ended));
  assert.deepEqual(await world.userTexts(conversation), names);
  assert.deepEqual(
    world.model.requests.map(asked),
    names.filter((_, index) => index !== 3 && index !== 6),
  );
});

test('so many turns may wait in a session, and so many run for a tenant: 429 with the time to come back', { timeout: 60_000 }, async () => {
  const quotas = { requestsPerSecond: 0, maxRunningTurns: 4, maxWaitingTurns: 1 };
  await using world = await World.open({ config: { quotas } });
  world.model.enqueue(held);
  const conversation = await world.session();
  const viewers = [await world.say('one', { conversation }), await world.say('two', { conversation })];
  for (const how of ['enqueue', 'interrupt']) {
    const full = await post(world.url, { input: 'three', conversation }, busy(how));
    assert.deepEqual(errorOf(full), [429, 'conversation', 'conversation_queue_full']);
    assert.ok(Number(full.headers.get('retry-after')) > 0);
  }
  await viewers[0]?.untilText('Hel');
  assert.equal((await world.store.readTurn(viewers[0]!.id))?.cancelRequestedAtMs, null, 'who is refused interrupts nobody');
  world.model.enqueue(held, held);
  viewers.push(await world.say('elsewhere'), await world.say('elsewhere too'));
  const many = await post(world.url, { input: 'five' });
  assert.deepEqual(errorOf(many), [429, null, 'too_many_running_turns']);
  assert.ok(Number(many.headers.get('retry-after')) > 0);
  world.model.release('go');
  await Promise.all(viewers.map((viewer) => viewer.ended));
  assert.equal((await post(world.url, { input: 'five' })).json?.['status'], 'completed');
});

test('T14 · a tenant has as many turns as it may have over all gateways, however many come at once', { timeout: 60_000 }, async () => {
  const quotas = { requestsPerSecond: 0, maxRunningTurns: 7, maxWaitingTurns: 1 };
  await using world = await World.open({ config: { quotas }, model: () => ({ fallback: () => held }) });
  const other = await world.startGateway(null, world.openStore());
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) => post([world.url, other.url][index % 2] ?? '', { input: `turn ${index}`, background: true })),
  );
  const refused = answers.filter(({ status }) => status === 429);
  assert.equal(answers.filter(({ status }) => status === 200).length, 7);
  assert.equal(refused.length, 53);
  for (const each of refused) {
    assert.deepEqual(errorOf(each), [429, null, 'too_many_running_turns']);
    assert.equal(each.headers.get('retry-after'), '30', 'none of its turns has ended lately');
  }
  world.model.release('go');
  await until(async () => {
    const { running, waiting } = await world.store.counts();
    return running + waiting === 0;
  });
  const again = await Promise.all(Array.from({ length: 8 }, (_, index) => post(world.url, { input: `again ${index}`, background: true })));
  assert.ok(again.filter(({ status }) => status === 200).length >= 7, 'what ended has made room');
});
