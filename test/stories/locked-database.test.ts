/** T1: a database that cannot be written for a while takes a message in once, however often its client sends it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { chat, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { errorOf, post } from '../support/post.ts';
import { type Cluster, startCluster } from '../support/processes.ts';
import { Viewer } from '../support/viewer.ts';

const options = { timeout: 120_000 };

/** What a backup does: somebody else holds the lock of the database, until it is released. */
async function lock(cluster: Cluster): Promise<{ release(): Promise<void> }> {
  const [held, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const locking = cluster.locked(async () => {
    held.resolve();
    await released.promise;
  });
  await held.promise;
  return {
    async release() {
      released.resolve();
      await locking;
    },
  };
}

/** Sends its attempts to these gateways in turns, and calls `onAttempt` as each begins. */
function clientOf(urls: readonly string[], onAttempt: (count: number) => void): OpenAI {
  let count = 0;
  return new OpenAI({
    baseURL: `${urls[0]}/v1`,
    apiKey: 'none',
    timeout: 1_500,
    // The second is the one that counts; a machine that is slow may need more of them.
    maxRetries: 10,
    fetch: async (url, init) => {
      const base = urls[count % urls.length] ?? '';
      count += 1;
      onAttempt(count);
      return fetch((url instanceof Request ? url.url : url.toString()).replace(urls[0] ?? '', base), init);
    },
  });
}

async function inputsOf({ store }: Cluster, conversation: string): Promise<string[]> {
  const session = await store.readSession('default', conversation);
  assert.ok(session);
  const items = (await store.readSessionItems(session, { limit: 100, order: 'asc' })) ?? [];
  return items.flatMap((item) =>
    item.type === 'message' && item.role === 'user' ? item.content.map((part) => ('text' in part ? part.text : '')) : [],
  );
}

for (const gateways of [1, 2] as const) {
  test(
    `T1 · a message that its client sends again, while the database is locked, to ${gateways === 1 ? 'the same gateway' : 'another gateway'} is taken in once`,
    options,
    async () => {
      await using cluster = await startCluster();
      await cluster.startWorker();
      const urls: string[] = [];
      while (urls.length < gateways) urls.push((await cluster.startGateway()).url);
      const { json } = await post(urls[0] ?? '', { input: 'warm', store: false });
      assert.equal(json?.['status'], 'completed');
      const session = await cluster.store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: Date.now() });
      const held = await lock(cluster);
      let released: Promise<void> | undefined;
      // The first attempt has waited for 1.5 s, and asks the database ever more seldom; the second has just come.
      const client = clientOf(urls, (count) => {
        if (count === 2) released = held.release();
      });
      const response = await client.responses.create({ input: 'once', conversation: session.id });
      await released;
      assert.equal(response.status, 'completed');
      assert.deepEqual(await inputsOf(cluster, session.id), ['once']);
      assert.equal(cluster.model.requests.length, 2, 'the warm-up, and one');
    },
  );
}

test('a submission that the database does not take is 503, and is not taken in after; what runs is not lost', options, async () => {
  const running = [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end];
  // The lock lasts longer than every lease.
  await using cluster = await startCluster({ env: { TURNKEEP_HEARTBEAT_TIMEOUT_MS: '2000' } });
  await cluster.startWorker();
  const { url } = await cluster.startGateway();
  cluster.model.enqueue(running);
  const viewer = await Viewer.open(`${url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: 'running', stream: true }),
  });
  await viewer.untilText('Hel');
  const held = await lock(cluster);
  const given = new AbortController();
  const gone = fetch(`${url}/v1/responses`, { method: 'POST', body: JSON.stringify({ input: 'given up' }), signal: given.signal });
  assert.equal((await fetch(`${url}/healthz`)).status, 200, 'everything else goes on');
  given.abort();
  // Given up, unless it had its answer before that.
  assert.equal(
    await gone.then(
      ({ status }) => status,
      () => 503,
    ),
    503,
  );
  const refused = await Promise.all([
    post(url, { input: 'hi' }),
    post(url, { input: 'hi', background: true }),
    post(url, { input: 'hi', stream: true }),
  ]);
  for (const answer of refused) {
    assert.deepEqual(errorOf(answer), [503, null, 'database_busy']);
    assert.equal(answer.headers.get('retry-after'), '1');
  }
  const conversation = await fetch(`${url}/v1/conversations`, { method: 'POST' });
  assert.equal(conversation.status, 503, 'nothing that writes waits without end');
  await held.release();
  assert.equal((await post(url, { input: 'after' })).json?.['status'], 'completed');
  cluster.model.release('go');
  await viewer.ended;
  assert.deepEqual([viewer.text, viewer.last.response.status], ['Hello', 'completed']);
  assert.equal(cluster.model.requests.length, 2);
  assert.deepEqual(await cluster.store.counts(), { running: 0, waiting: 0, oldestReadyAtMs: null, oldestRenewalAtMs: null });
});
