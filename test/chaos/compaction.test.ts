/** Compaction by real processes, whose worker is killed with -9 in the middle of one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { chat, chatAnswer, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { startCluster } from '../support/processes.ts';

const options = { timeout: 120_000 };

test('T2 · kill -9 of the worker in a compaction: asked again before its start, never after, and nothing is lost', options, async () => {
  await using cluster = await startCluster();
  const { url } = await cluster.startGateway();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  const input = [{ role: 'user' as const, content: 'a long talk' }];

  cluster.model.enqueue([sseHead, chat.role(), stall], chatAnswer('Short.'));
  const before = await cluster.startWorker();
  const compacting = client.responses.compact({ model: 'scripted', input });
  await cluster.model.nextRequest(1);
  await before.kill();
  const after = await cluster.startWorker();
  const compacted = await compacting;
  assert.deepEqual(
    compacted.output.map(({ type }) => type),
    ['message', 'compaction'],
  );
  assert.deepEqual(
    (await cluster.store.readAttempts(compacted.id)).map(({ outcome }) => outcome),
    ['lost', 'completed'],
  );

  cluster.model.enqueue([sseHead, chat.content('Sho'), stall], chatAnswer('never'));
  const cut = await client.responses.create({ model: 'scripted', input: [...input, { type: 'compaction_trigger' }], stream: true });
  let last: OpenAI.Responses.ResponseStreamEvent | undefined;
  for await (const event of cut) {
    if (event.type === 'response.compaction.compacting') {
      await after.kill();
      await cluster.startWorker();
    }
    last = event;
  }
  assert.ok(last?.type === 'response.failed');
  assert.equal(last.response.error?.code, 'worker_lost');
  assert.equal(cluster.model.requests.length, 3);
  // What was said is still there, and is compacted by the next one.
  cluster.model.enqueue(chatAnswer('Short.'));
  const { output } = await client.responses.compact({ model: 'scripted', previous_response_id: last.response.id });
  assert.deepEqual(
    output.map(({ type }) => type),
    ['message', 'compaction'],
  );
});
