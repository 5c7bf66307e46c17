/** A tenant that sends hundreds of turns at once, none of which says anything, and another one that has something to ask. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chat, chatAnswer, done, end, hold, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { asked } from '../support/cases.ts';
import { until } from '../support/until.ts';
import { story, type World } from '../support/world.ts';

function keyOf(name: string) {
  return { name, hash: createHash('sha256').update(name).digest('hex') };
}

const silent: Script = [sseHead, hold('go'), chat.content('late'), chat.finish(), done, end];
const [maxRunningTurns, maxAttempts, flood] = [24, 6, 200];

async function post(world: World, tenant: string, input: string, background: boolean): Promise<Response> {
  return fetch(`${world.url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${tenant}` },
    body: JSON.stringify({ input, background }),
  });
}

story(
  'T14 · of a flood as many turns are taken in as may be and half of the room is used; who asks meanwhile is answered before any of it ends',
  async (world) => {
    const sent = await Promise.all(Array.from({ length: flood }, (_, index) => post(world, 'many', `flood ${index}`, true)));
    const refused = sent.filter(({ status }) => status === 429);
    assert.equal(refused.length, flood - maxRunningTurns);
    assert.deepEqual([...new Set(refused.map(({ headers }) => headers.get('retry-after')))], ['30'], 'nothing of it has ended');
    await world.model.nextRequest(maxAttempts / 2);

    const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => post(world, 'few', `question ${index}`, false)));
    const bodies = (await Promise.all(answers.map(async (answer) => answer.json()))) as { readonly status: string }[];
    assert.deepEqual([...new Set(bodies.map(({ status }) => status))], ['completed']);
    const requests = world.model.requests.map(asked);
    assert.equal(requests.filter((input) => input.startsWith('question')).length, 8);
    assert.equal(requests.filter((input) => input.startsWith('flood')).length, maxAttempts / 2);

    world.model.release('go');
    await until(async () => {
      const { running, waiting } = await world.store.counts();
      return running + waiting === 0;
    });
    assert.equal(world.model.requests.map(asked).filter((input) => input.startsWith('flood')).length, maxRunningTurns);
  },
  {
    maxAttempts,
    config: {
      apiKeys: [keyOf('many'), keyOf('few')],
      quotas: { requestsPerSecond: 0, maxRunningTurns, maxWaitingTurns: 1 },
    },
    model: () => ({ fallback: (request) => (asked(request).startsWith('flood') ? silent : chatAnswer('Hello')) }),
  },
);
