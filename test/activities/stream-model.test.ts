/** `streamModel` against the faulty model server, without a Temporal server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActivityCancellationDetails, type ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { settleTurn } from '../../src/settle/settle-turn.ts';
import { chat, chatAnswer, end, reset, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { scene } from './support.ts';

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

test('T2 · a provider that is busy after the first delta is not asked again: the failure is final', async () => {
  const overload = chat.error('overloaded', { type: 'overloaded_error' });
  await using at = await scene([sseHead, overload, end], [sseHead, chat.content('Hel'), overload, end]);
  const detailsOf = (error: ApplicationFailure): unknown => error.details?.[0];
  const [before, after] = [await at.attempt().catch(detailsOf), await at.attempt().catch(detailsOf)];
  assert.deepEqual(before, { requestsMade: 1, detail: 'overloaded_error' });
  assert.deepEqual(after, { requestsMade: 2, detail: 'overloaded_error', final: true });
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
    await at.model.clientClosed(1);
    assert.deepEqual(await at.attempt(), { status: 'completed', code: null });
  });

  test(`T2, T9 · ${why} after the first token: never asked again, and lost rather than cancelled`, async () => {
    await using at = await scene([sseHead, chat.content('Hel'), stall]);
    const environment = new MockActivityEnvironment();
    const attempt = at.attempt(environment).catch((error: unknown) => error);
    await at.shown();
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
  await at.shown();
  environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
  assert.deepEqual(await attempt, { status: 'cancelled', code: null });
  await at.model.clientClosed(1);
  assert.equal((await at.store.readTurn('resp_a'))?.response?.output.length, 1);
});

test('T7 · a turn that is deleted while its stream is silent: the socket is closed, and the end that it had is adopted', async () => {
  await using at = await scene([sseHead, chat.content('Hel'), stall]);
  const attempt = at.attempt();
  await at.shown();
  await settleTurn(at.store, 'resp_a', { status: 'cancelled' }, Date.now());
  await at.store.deleteTurn('default', 'resp_a', Date.now());
  await at.model.clientClosed(1);
  assert.deepEqual(await attempt, { status: 'cancelled', code: null });
});

test('a turn that was purged has had its end: settling it is over at once', async () => {
  await using at = await scene();
  assert.deepEqual(await at.settle('resp_gone', { status: 'cancelled' }), { status: 'cancelled', code: null });
});

test('a cancelled turn keeps what the provider said it has cost so far', async () => {
  await using at = await scene([sseHead, chat.usage(7, 3), chat.content('Hel'), stall]);
  const environment = new MockActivityEnvironment();
  const attempt = at.attempt(environment);
  await at.shown();
  environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
  await attempt;
  const turn = await at.store.readTurn('resp_a');
  assert.deepEqual([turn?.usage?.total_tokens, turn?.response?.usage?.total_tokens], [10, 10]);
});
