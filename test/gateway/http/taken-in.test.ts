/** In what order requests are taken in that make turns: by the gateway's own application, over HTTP, into a database. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { request as requestOf } from 'node:http';
import { test, type TestContext } from 'node:test';
import { FairQueue, fairQueueLimits } from '../../../src/gateway/http/fair-queue.ts';
import { until } from '../../support/until.ts';
import { appFor, serve } from '../served-app.ts';

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly id: string | undefined;
  readonly retryAfter: string | null;
}

interface Gateway {
  readonly url: string;
  readonly queue: FairQueue;
  /** The event loop has time to spare for so many requests. */
  readonly spare: (requests: number) => void;
  /** What was taken in, oldest first, as the tenants know it. */
  readonly acceptedOf: (tenant: string) => Promise<string[]>;
  readonly drain: () => void;
}

const limits = { ...fairQueueLimits, mostWaiting: 40 };

/** No time passes, and the event loop has none to spare but what is given to it. */
async function gateway(t: TestContext, options: { readonly requestsPerSecond?: number } = {}): Promise<Gateway> {
  let onTick: ((isOnTime: boolean) => void) | undefined;
  let isDraining = false;
  const queue = new FairQueue({
    limits,
    now: () => 0,
    loopClock: (tick) => {
      onTick = tick;
      return () => {
        onTick = undefined;
      };
    },
  });
  const apiKeys = ['many', 'few'].map((name) => ({ name, hash: createHash('sha256').update(name).digest('hex') }));
  const url = await serve(t, appFor(t, { apiKeys, fairQueue: queue, isDraining: () => isDraining, defaultModel: 'm', ...options }));
  // Both have been here.
  for (const tenant of ['many', 'few']) assert.equal((await post(url, tenant, 'before')).status, 200);
  return {
    url,
    queue,
    spare: (requests) => {
      for (let tick = 0; tick < requests * limits.ticksToSpare; tick += 1) onTick?.(true);
    },
    acceptedOf: async (tenant) => {
      const answer = await fetch(`${url}/turns?limit=100`, { headers: { authorization: `Bearer ${tenant}` } });
      const { data } = (await answer.json()) as { readonly data: readonly { readonly id: string }[] };
      return data.map(({ id }) => id).toReversed();
    },
    drain: () => {
      isDraining = true;
      queue.open();
    },
  };
}

async function post(url: string, tenant: string, input: string, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await fetch(`${url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${tenant}`, ...headers },
    body: JSON.stringify({ input, background: true }),
  });
  const { error, id } = (await answer.json()) as { readonly error?: { readonly code: string } | null; readonly id?: string };
  return { status: answer.status, code: error?.code, id, retryAfter: answer.headers.get('retry-after') };
}

const flood = 40;
/** Of the flood, taken in whatever the event loop has to do: one was there before. */
const within = limits.burst - 1;

function statusesOf(answers: readonly Answer[]): number[] {
  return [...new Set(answers.map(({ status }) => status))];
}

test('T14 · of 40 posts of one tenant 3 are taken in before the one of another that comes behind them; none is lost', async (t) => {
  const { url, queue, spare, acceptedOf } = await gateway(t);
  const sent = Array.from({ length: flood }, (_, index) => post(url, 'many', `flood ${index}`));
  await until(() => queue.waiting === flood - within);
  const answer = await post(url, 'few', 'question');
  assert.equal(answer.status, 200);
  assert.equal(queue.waiting, flood - within);
  assert.equal((await acceptedOf('many')).length, 1 + within);
  for (let left = queue.waiting; left > 0; left -= 1) {
    spare(1);
    await until(async () => (await acceptedOf('many')).length === 1 + flood - left + 1);
  }
  assert.deepEqual(statusesOf(await Promise.all(sent)), [200]);
  assert.equal((await acceptedOf('many')).length, 1 + flood);
});

test('T1 · T14 · a post whose client goes while it waits is not taken in, and those behind it are', async (t) => {
  const { url, queue, spare, acceptedOf } = await gateway(t);
  const sent = Array.from({ length: within }, (_, index) => post(url, 'many', `before ${index}`));
  assert.deepEqual(statusesOf(await Promise.all(sent)), [200]);
  const headers = { 'content-type': 'application/json', authorization: 'Bearer many', 'x-turnkeep-response-id': 'resp_gone' };
  const leaving = requestOf(`${url}/v1/responses`, { method: 'POST', headers });
  leaving.on('error', () => undefined);
  leaving.end(JSON.stringify({ input: 'gone', background: true }));
  await until(() => queue.waiting === 1);
  const staying = post(url, 'many', 'stays', { 'x-turnkeep-response-id': 'resp_stays' });
  await until(() => queue.waiting === 2);
  leaving.destroy();
  await until(() => queue.waiting === 1);
  spare(1);
  assert.equal((await staying).status, 200);
  const accepted = await acceptedOf('many');
  assert.ok(!accepted.includes('resp_gone'));
  assert.equal(accepted.at(-1), 'resp_stays');
  assert.equal(queue.waiting, 0);
});

test('T1 · a post that is sent again while the first one waits is the same turn', async (t) => {
  const { url, queue, spare, acceptedOf } = await gateway(t);
  await Promise.all(Array.from({ length: within }, (_, index) => post(url, 'many', `before ${index}`)));
  const before = (await acceptedOf('many')).length;
  const key = { 'idempotency-key': 'once' };
  const first = post(url, 'many', 'again', key);
  await until(() => queue.waiting === 1);
  const second = post(url, 'many', 'again', key);
  await until(() => queue.waiting === 2);
  spare(2);
  const [one, other] = await Promise.all([first, second]);
  assert.deepEqual([one.status, other.status, one.id], [200, 200, other.id]);
  assert.equal((await acceptedOf('many')).length, before + 1);
});

test('T1 · a gateway that shuts down refuses all that wait: 503, and nothing of them is taken in', async (t) => {
  const { url, queue, drain, acceptedOf } = await gateway(t);
  const sent = Array.from({ length: 20 }, (_, index) => post(url, 'many', `flood ${index}`));
  await until(() => queue.waiting === 20 - within);
  const before = (await acceptedOf('many')).length;
  drain();
  const answers = await Promise.all(sent);
  assert.equal(answers.filter(({ status }) => status === 503).length, 20 - within);
  assert.equal((await acceptedOf('many')).length, before);
});

test('T14 · one more than may wait is refused, and told when to come back', async (t) => {
  const { url, queue, drain } = await gateway(t);
  const sent = Array.from({ length: limits.mostWaiting + within }, (_, index) => post(url, 'many', `flood ${index}`));
  await until(() => queue.waiting === limits.mostWaiting);
  const { status, code, retryAfter } = await post(url, 'many', 'one more');
  assert.deepEqual([status, code], [429, 'intake_queue_full']);
  assert.match(retryAfter ?? '', /^[1-9]\d?$/);
  assert.equal((await post(url, 'few', 'question')).status, 200);
  drain();
  await Promise.all(sent);
});

test('T14 · what is read, and what stops a turn, does not wait behind what begins one', async (t) => {
  const { url, queue, drain, acceptedOf } = await gateway(t);
  const sent = Array.from({ length: 20 }, (_, index) => post(url, 'many', `flood ${index}`));
  await until(() => queue.waiting === 20 - within);
  const [first = ''] = await acceptedOf('many');
  const headers = { authorization: 'Bearer many' };
  const read = await fetch(`${url}/v1/responses/${first}`, { headers });
  const cancelled = await fetch(`${url}/v1/responses/resp_none/cancel`, { method: 'POST', headers });
  assert.deepEqual([read.status, cancelled.status], [200, 404]);
  drain();
  await Promise.all(sent);
});

test('T14 · the refusals of a flood wait for each other as its turns do, and not for another tenant’s', async (t) => {
  const { url, queue, spare } = await gateway(t, { requestsPerSecond: 2 });
  const sent = Array.from({ length: 20 }, (_, index) => post(url, 'many', `flood ${index}`));
  // Those that are refused and those that are not.
  await until(() => queue.waiting === 20 - within);
  assert.equal((await post(url, 'few', 'question')).status, 200);
  while (queue.waiting > 0) {
    const { waiting } = queue;
    spare(1);
    await until(() => queue.waiting < waiting);
  }
  const answers = await Promise.all(sent);
  const refused = answers.filter(({ status }) => status === 429);
  assert.deepEqual([...new Set(refused.map(({ code }) => code))], ['rate_limit_exceeded']);
  assert.ok(refused.length > 0);
});

test('T14 · who was refused for its rate is not let in at once any more', async (t) => {
  const { url, queue, spare } = await gateway(t, { requestsPerSecond: 0.5 });
  assert.equal((await post(url, 'many', 'too soon')).status, 429);
  const next = post(url, 'many', 'and again');
  const answered = next.then(() => 'answered');
  assert.equal(await Promise.race([answered, until(() => queue.waiting === 1).then(() => 'waits')]), 'waits');
  spare(1);
  await next;
});
