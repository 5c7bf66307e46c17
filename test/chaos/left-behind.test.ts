/** What a killed process had accepted and not carried out is carried out by another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatAnswer, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { startCluster } from '../support/processes.ts';
import { post } from '../support/post.ts';
import { Viewer } from '../support/viewer.ts';
import { newTurn } from '../store/contract.ts';

const options = { timeout: 120_000 };

test('a gateway killed between an interrupting turn’s row and its cancel: another one stops what was to be stopped', options, async () => {
  await using cluster = await startCluster();
  cluster.model.enqueue([sseHead, chat.content('Hel'), stall], chatAnswer('new'));
  await cluster.startWorker();
  const doomed = await cluster.startGateway();
  const other = await cluster.startGateway();
  const response = await fetch(`${doomed.url}/v1/conversations`, { method: 'POST' });
  const { id: conversation } = (await response.json()) as { id: string };
  const running = await Viewer.say(other.url, 'hi', { conversation });
  await running.untilText('Hel');
  // What it would have written, and died.
  await doomed.role.kill();
  const row = newTurn('resp_interrupting', { session: conversation, whenBusy: 'interrupt', createdAtMs: Date.now() });
  const result = await cluster.store.insertTurn(row);
  assert.equal(result.type === 'inserted' && result.interrupted, running.id);
  const next = await Viewer.open(`${other.url}/v1/responses/resp_interrupting?stream=true`);
  await Promise.all([running.ended, next.ended]);
  assert.deepEqual([running.last.response.status, running.text], ['cancelled', 'Hel']);
  assert.deepEqual([next.last.response.status, next.text], ['completed', 'new']);
  await cluster.model.clientClosed(1);
  assert.equal(cluster.model.requests.length, 2);
});

test(
  'T2 · kill -9 of the worker before the first event of a turn that is not to be stored: it runs elsewhere, and is gone after',
  options,
  async () => {
    await using cluster = await startCluster();
    cluster.model.enqueue([sseHead, chat.role(), stall], chatAnswer('Hello'));
    const { url } = await cluster.startGateway();
    const doomed = await cluster.startWorker();
    const answer = post(url, { input: 'hi', store: false });
    await cluster.model.nextRequest(1);
    await doomed.kill();
    await cluster.startWorker();
    const { json } = await answer;
    assert.deepEqual([json?.['status'], json?.['store'], cluster.model.requests.length], ['completed', false, 2]);
    assert.equal((await fetch(`${url}/v1/responses/${String(json?.['id'])}`)).status, 404);
  },
);

test('kill -9 of the worker while it asks for a title: the turn has long ended, and the next one runs', options, async () => {
  await using cluster = await startCluster({ env: { TURNKEEP_TITLES: 'true' } });
  const { url } = await cluster.startGateway();
  const doomed = await cluster.startWorker();
  const response = await fetch(`${url}/v1/conversations`, { method: 'POST' });
  const { id: conversation } = (await response.json()) as { id: string };
  await (
    await Viewer.say(url, 'hi', { conversation })
  ).ended;
  await cluster.model.nextRequest(2);
  await doomed.kill();
  await cluster.startWorker();
  const next = await Viewer.say(url, 'next', { conversation });
  await next.ended;
  assert.equal(next.last.response.status, 'completed');
});
