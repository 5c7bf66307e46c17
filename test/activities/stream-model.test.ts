/** `streamModel` against the faulty model server, without a Temporal server. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ActivityCancellationDetails, type ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createActivities } from '../../src/activities/create-activities.ts';
import { createProvider } from '../../src/providers/create-provider.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { chat, chatAnswer, reset, type Script, sseHead, stall, startModelServer } from '../../src/testing/model-server/index.ts';
import { newTurn } from '../store/contract.ts';

const limits = {
  connectTimeoutMs: 1_000,
  firstEventTimeoutMs: 5_000,
  idleTimeoutMs: 5_000,
  heartbeatTimeoutMs: 5_000,
  turnTimeoutMs: 60_000,
};
const input = { turn: 'resp_a', step: 1 };

async function scene(...scripts: Script[]) {
  const model = await startModelServer();
  model.enqueue(...scripts);
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-activity-'));
  const store = openSqliteStore(join(folder, 'turnkeep.db'));
  const provider = createProvider({ baseUrl: model.baseUrl, api: 'chat', limits });
  const activities = createActivities({ store, provider, limits });
  await store.insertTurn(newTurn('resp_a'));
  await activities.recordInput({ turn: 'resp_a' });
  return {
    model,
    store,
    attempt(environment = new MockActivityEnvironment()) {
      return environment.run(activities.streamModel, { ...input, deadlineAtMs: Date.now() + 60_000 });
    },
    async [Symbol.asyncDispose]() {
      await provider.close();
      await model.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function failureOf(attempt: Promise<unknown>): Promise<{ type: unknown; nonRetryable: unknown; delay: unknown }> {
  const failure = await attempt.then(
    () => assert.fail('it did not fail'),
    (error: ApplicationFailure) => error,
  );
  return { type: failure.type, nonRetryable: failure.nonRetryable, delay: failure.nextRetryDelay };
}

test('T3 · the failure itself says whether Temporal may try again, and when', async () => {
  await using at = await scene([reset], [reset], [reset]);
  assert.deepEqual(await failureOf(at.attempt()), { type: 'transport_failed', nonRetryable: false, delay: 1_000 });
  assert.deepEqual(await failureOf(at.attempt()), { type: 'transport_failed', nonRetryable: false, delay: 2_000 });
  assert.deepEqual(await failureOf(at.attempt()), { type: 'transport_failed', nonRetryable: true, delay: undefined });
  assert.deepEqual(await failureOf(at.attempt()), { type: 'transport_failed', nonRetryable: true, delay: undefined });
  assert.equal(at.model.requests.length, 3);
});

for (const [why, details] of [
  ['a shutdown of the worker', { workerShutdown: true }],
  ['a time-out', { timedOut: true }],
  ['a pause', { paused: true }],
  ['a reset', { reset: true }],
  ['a workflow that is gone', { notFound: true }],
] as const) {
  test(`T9 · ${why} before the first token is not the user’s stop: the next attempt asks again`, async () => {
    await using at = await scene([sseHead, chat.role(), stall], chatAnswer('Hello'));
    const environment = new MockActivityEnvironment();
    const attempt = failureOf(at.attempt(environment));
    await at.model.nextRequest(1);
    environment.cancel('CANCELLED', new ActivityCancellationDetails(details));
    assert.equal((await attempt).nonRetryable, false);
    await at.model.hungUp(1);
    assert.deepEqual(await at.attempt(), { status: 'completed', code: null });
  });

  test(`T2, T9 · ${why} after the first token: never asked again, and lost rather than cancelled`, async () => {
    await using at = await scene([sseHead, chat.content('Hel'), stall]);
    const environment = new MockActivityEnvironment();
    const attempt = at.attempt(environment).catch((error: unknown) => error);
    const watching = new AbortController();
    for await (const rows of at.store.follow('resp_a', -1, watching.signal)) {
      if (rows.some(({ type }) => type === 'response.output_text.delta')) watching.abort();
    }
    environment.cancel('CANCELLED', new ActivityCancellationDetails(details));
    await attempt;
    assert.deepEqual(await at.attempt(), { status: 'failed', code: 'worker_lost' });
    assert.equal(at.model.requests.length, 1);
  });
}

test('T5 · a cancel that was asked for hands in what there is', async () => {
  await using at = await scene([sseHead, chat.content('Hel'), stall]);
  const environment = new MockActivityEnvironment();
  const attempt = at.attempt(environment);
  const watching = new AbortController();
  for await (const rows of at.store.follow('resp_a', -1, watching.signal)) {
    if (rows.some(({ type }) => type === 'response.output_text.delta')) watching.abort();
  }
  environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
  assert.deepEqual(await attempt, { status: 'cancelled', code: null });
  await at.model.hungUp(1);
  assert.equal((await at.store.readTurn('resp_a'))?.response?.output.length, 1);
});
