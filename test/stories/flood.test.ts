/** A tenant that sends hundreds of turns at once, none of which says anything, and another one that has something to ask. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { FairQueue, fairQueueLimits } from '../../src/gateway/http/fair-queue.ts';
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

const burst = 40;

/** No time passes for it, and the event loop has none to spare but what is given to it. */
class HeldLoop {
  queue: FairQueue | undefined;
  #onTick: ((isOnTime: boolean) => void) | undefined;

  open(): FairQueue {
    this.queue = new FairQueue({
      now: () => 0,
      loopClock: (onTick) => {
        this.#onTick = onTick;
        return () => {
          this.#onTick = undefined;
        };
      },
    });
    return this.queue;
  }

  /** For one request. */
  spare(): void {
    for (let tick = 0; tick < fairQueueLimits.ticksToSpare; tick += 1) this.#onTick?.(true);
  }
}

const loop = new HeldLoop();

story(
  'T1 · T14 · of 40 posts of one tenant four are asked of the model before the one of another that comes behind them; then all are, once each',
  async (world) => {
    // Whoever has been here is somebody to be kept from the flood.
    assert.equal((await post(world, 'few', 'hello', false)).status, 200);
    const sent = Array.from({ length: burst }, (_, index) => post(world, 'many', `post ${index}`, true));
    await until(() => loop.queue?.waiting === burst - fairQueueLimits.burst);
    const answer = await post(world, 'few', 'question', false);
    assert.equal(((await answer.json()) as { readonly status: string }).status, 'completed');
    assert.equal(loop.queue?.waiting, burst - fairQueueLimits.burst);
    const before = world.model.requests.map(asked);
    assert.ok(before.includes('question'));
    assert.ok(before.length <= 2 + fairQueueLimits.burst, before.join());

    for (let left = burst - fairQueueLimits.burst; left > 0; left -= 1) {
      // One that has been let in holds its place until it is accepted.
      await until(() => {
        if (loop.queue?.waiting === left) loop.spare();
        return loop.queue?.waiting === left - 1;
      });
    }
    assert.deepEqual([...new Set((await Promise.all(sent)).map(({ status }) => status))], [200]);
    await until(async () => {
      const { running, waiting } = await world.store.counts();
      return running + waiting === 0;
    });
    const requests = world.model.requests.map(asked);
    assert.equal(new Set(requests).size, requests.length, 'each is asked once');
    assert.equal(requests.length, 2 + burst);
  },
  {
    fairQueue: () => loop.open(),
    config: { apiKeys: [keyOf('many'), keyOf('few')] },
    model: () => ({ fallback: () => chatAnswer('Hello') }),
  },
);
