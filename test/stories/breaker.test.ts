/** T4, T14: a provider that fails turn after turn is left alone, by all processes, and nothing of the three requests is used up meanwhile. */
import { createHash } from 'node:crypto';
import assert from 'node:assert/strict';
import { chat, done, end, hold, httpError, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { breakerKeysOf, failuresToOpen } from '../../src/domain/turn/breaker.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { until } from '../support/until.ts';
import { story, type World } from '../support/world.ts';

const failure: Script = [hold('failure'), ...httpError(503)];
const answer: Script = [sseHead, hold('answer'), chat.content('Hello'), chat.finish(), done, end];

/** The breaker of the story's model, as it stands in the database; `long`: as if it had opened an hour ago, and stayed so. */
async function open(world: World, long: boolean): Promise<void> {
  const { everybody: key } = breakerKeysOf(world.model.baseUrl, 'scripted', 'default');
  await world.store.tripBreaker({ key, detail: '503', isProbe: false });
  if (!long) return;
  await world.database.ask('UPDATE breakers SET opened_at = opened_at - 3600000, until = until + 20000');
}

let isDown = true;

story(
  'T4 · once ten turns have failed nothing is sent; then one asks, and when it is answered all go on with the requests that they had left',
  async (world) => {
    isDown = true;
    const failing = await Promise.all(Array.from({ length: failuresToOpen }, (_, index) => world.say(`turn ${index}`)));
    await world.model.nextRequest(failuresToOpen);
    isDown = false;
    world.model.release('failure');
    await until(async () => (await world.store.readBreakers()).rows.length === 1);
    const late = await world.say('late');
    await world.model.nextRequest(failuresToOpen + 1);
    const [row] = (await world.store.readBreakers()).rows;
    assert.notEqual(row?.probeUntilMs, null);
    assert.equal(world.model.requests.length, failuresToOpen + 1, 'the probe alone');
    world.model.release('answer');
    await Promise.all([...failing, late].map((viewer) => viewer.ended));
    assert.deepEqual([...new Set([...failing, late].map(({ text, last }) => `${last.response.status} ${text}`))], ['completed Hello']);
    assert.deepEqual((await world.store.readBreakers()).rows, []);
    assert.equal((await world.attempts(late.id)).length, 1, 'a wait is no request');
    for (const { id } of failing) {
      assert.deepEqual(
        (await world.attempts(id)).map(({ attempt, outcome }) => [attempt, outcome]),
        [
          [1, 'failed'],
          [2, 'completed'],
        ],
      );
    }
  },
  { config: { hasBreaker: true }, model: () => ({ fallback: () => (isDown ? failure : answer) }) },
);

story(
  'T4 · what other processes have seen holds: turns wait, a cancel ends the wait, and where it lasts they end, and no new one is taken in',
  async (world) => {
    await open(world, false);
    await until(
      () => world.workers[0]?.attempts.breakers?.state({ tenant: 'default', settings: defaultSettings('scripted') }).type === 'open',
    );
    const [waiting, cancelled] = [await world.say('waits'), await world.say('is cancelled')];
    const stop = await world.call('POST', `/v1/responses/${cancelled.id}/cancel`);
    assert.equal(stop.body['status'], 'cancelled');
    await cancelled.ended;
    await open(world, true);
    await waiting.ended;
    const { error } = waiting.last.response;
    assert.equal(error?.code, 'provider_busy');
    assert.match(error?.message ?? '', /^The model provider fails turn after turn: nothing was sent to it\. It may be asked again at /);
    const { body: turn } = await world.call('GET', `/turns/${waiting.id}`);
    assert.ok(Date.parse(String(turn['retry_at'])) > Date.now());

    await until(async () => (await world.call('POST', '/v1/responses', { input: 'is refused' })).status === 503);
    const refused = await fetch(`${world.url}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input: 'is refused' }),
    });
    const { error: refusal } = (await refused.json()) as { error: { code: string } };
    assert.deepEqual([refused.status, refusal.code], [503, 'provider_unavailable']);
    const retryAfterS = Number(refused.headers.get('retry-after'));
    assert.ok(retryAfterS >= 1 && retryAfterS <= 30, `${retryAfterS} s`);
    assert.equal(world.model.requests.length, 0);
  },
  { config: { hasBreaker: true } },
);

const apiKeys = ['ann', 'bob'].map((name) => ({ name, hash: createHash('sha256').update(`secret of ${name}`).digest('hex') }));
const of = (name: string) => ({ authorization: `Bearer secret of ${name}` });
/** Such a prompt makes the provider fail, and no other does. */
const poison = 'poison';

story(
  "T14 · a tenant whose prompts make the provider fail is left to wait alone: everybody else's turns are sent and answered",
  async (world) => {
    const post = (input: string): Promise<Response> =>
      fetch(`${world.url}/v1/responses`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...of('ann') },
        body: JSON.stringify({ input, background: true }),
      });
    const accepted = await Promise.all(Array.from({ length: failuresToOpen + 2 }, (_, index) => post(`${poison} ${index}`)));
    assert.deepEqual([...new Set(accepted.map(({ status }) => status))], [200]);
    const keys = breakerKeysOf(world.model.baseUrl, 'scripted', 'ann');
    await until(async () => (await world.store.readBreakers()).rows.length > 0);
    for (let turn = 0; turn < 3; turn += 1) {
      const good = await world.say(`good ${turn}`, {}, of('bob'));
      await good.ended;
      assert.deepEqual([good.text, (await world.attempts(good.id)).length], ['Hello', 1]);
      assert.deepEqual(
        (await world.store.readBreakers()).rows.map(({ key }) => key),
        [keys.tenant],
      );
    }
    // They would wait for a minute of the outage.
    for (const answer of accepted) {
      const { id } = (await answer.json()) as { readonly id: string };
      await fetch(`${world.url}/v1/responses/${id}/cancel`, { method: 'POST', headers: of('ann') });
    }
  },
  {
    config: { hasBreaker: true, apiKeys, requiresKey: true },
    model: () => ({
      fallback: ({ body }) =>
        JSON.stringify(body).includes(poison) ? httpError(500) : [sseHead, chat.content('Hello'), chat.finish(), done, end],
    }),
  },
);
