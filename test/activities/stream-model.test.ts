/** `streamModel` against the faulty model server, without a Temporal server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActivityCancellationDetails, type ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { longestBusyWaitMs } from '../../src/domain/turn/retry-policy.ts';
import { chat, chatAnswer, done, end, hold, reset, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { settle } from '../store/contract.ts';
import { retold } from '../support/in-time.ts';
import { scene } from './support.ts';

async function failureOf(attempt: Promise<unknown>): Promise<{ type: unknown; nonRetryable: unknown; delay: unknown }> {
  const failure = await attempt.then(
    () => assert.fail('it did not fail'),
    (error: ApplicationFailure) => error,
  );
  return { type: failure.type, nonRetryable: failure.nonRetryable, delay: failure.nextRetryDelay };
}

test('T3 · the failure itself says whether Temporal may try again, and when; the last one is the end of the turn', async () => {
  await using at = await scene([reset], [reset], [reset]);
  assert.deepEqual(await failureOf(at.attempt()), { type: 'transport_failed', nonRetryable: false, delay: 1_000 });
  at.setWait();
  assert.deepEqual(await failureOf(at.attempt()), { type: 'transport_failed', nonRetryable: false, delay: 2_000 });
  at.setWait();
  const end = { status: 'failed', code: 'transport_failed' };
  assert.deepEqual(await at.attempt(), end);
  assert.deepEqual(await at.attempt(), end);
  assert.equal(at.model.requests.length, 3);
});

test('T3 · an attempt that comes before the wait is over sends nothing, and hands on what is left of it', async () => {
  await using at = await scene([reset], chatAnswer('Hello'));
  await failureOf(at.attempt());
  at.setWait(longestBusyWaitMs);
  const { delay, ...early } = await failureOf(at.attemptElsewhere());
  assert.deepEqual(early, { type: 'transport_failed', nonRetryable: false });
  assert.ok(typeof delay === 'number' && delay > 1_000 && delay <= longestBusyWaitMs);
  assert.equal(at.model.requests.length, 1);
  at.setWait();
  assert.deepEqual(await at.attemptElsewhere(), { status: 'completed', code: null });
});

test('T4 · a busy provider is left to the timer of the workflow, whoever asks before it is over', async () => {
  const overload = chat.error('overloaded', { type: 'overloaded_error' });
  await using at = await scene([sseHead, overload, end]);
  const detailsOf = (error: ApplicationFailure): unknown => [error.type, error.nonRetryable, error.details?.[0]];
  assert.deepEqual(await at.attempt().catch(detailsOf), ['provider_busy', true, { requestsMade: 1, detail: 'overloaded_error' }]);
  at.setWait(longestBusyWaitMs);
  const [type, nonRetryable, details] = (await at.attemptElsewhere().catch(detailsOf)) as [string, boolean, Record<string, number>];
  assert.deepEqual([type, nonRetryable, details['requestsMade']], ['provider_busy', true, 1]);
  assert.ok(Number(details['retryAfterMs']) > 1_000 && Number(details['retryAfterMs']) <= longestBusyWaitMs);
  assert.equal(at.model.requests.length, 1);
});

test('T2 · a provider that is busy after the first delta is not asked again: that is the end of the turn', async () => {
  const overload = chat.error('overloaded', { type: 'overloaded_error' });
  await using at = await scene([sseHead, chat.content('Hel'), overload, end]);
  assert.deepEqual(await at.attempt(), { status: 'failed', code: 'provider_busy' });
  assert.equal(at.model.requests.length, 1);
});

const answer = [sseHead, chat.role(), hold('asked'), chat.content('Hel'), hold('shown'), chat.content('lo'), chat.finish(), done, end];

for (const [why, details] of [
  ['a time-out', { timedOut: true }],
  ['a pause', { paused: true }],
  ['a reset', { reset: true }],
  ['a workflow that is gone', { notFound: true }],
] as const) {
  for (const [when, held] of [
    ['before', 'asked'],
    ['after', 'shown'],
  ] as const) {
    test(`T9 · ${why} ${when} the first token stops nothing: the attempt goes on, and the next run of the activity joins it`, async () => {
      await using at = await scene(answer);
      const environment = new MockActivityEnvironment();
      const attempt = failureOf(at.attempt(environment));
      if (held === 'shown') at.model.release('asked');
      await at.model.reached(held);
      environment.cancel('CANCELLED', new ActivityCancellationDetails(details));
      assert.equal((await attempt).nonRetryable, false);
      const next = at.attempt();
      at.model.release('asked');
      at.model.release('shown');
      assert.deepEqual(await next, { status: 'completed', code: null });
      const output = (await at.store.readResponse('resp_a'))?.output[0];
      assert.equal(output?.type === 'message' && output.content[0]?.type === 'output_text' && output.content[0].text, 'Hello');
      assert.equal(at.model.requests.length, 1);
    });
  }
}

test('T9 · a shutdown of the worker before the first token is not the user’s stop: the next attempt asks again', async () => {
  await using at = await scene([sseHead, chat.role(), stall], chatAnswer('Hello'));
  const environment = new MockActivityEnvironment();
  const attempt = failureOf(at.attempt(environment));
  await at.model.nextRequest(1);
  environment.cancel('CANCELLED', new ActivityCancellationDetails({ workerShutdown: true }));
  assert.equal((await attempt).nonRetryable, false);
  await at.model.clientClosed(1);
  assert.deepEqual(await at.attemptElsewhere(), { status: 'completed', code: null });
});

test('T2, T9 · a shutdown of the worker after the first token: lost rather than cancelled, at once, and never asked again', async () => {
  await using at = await scene([sseHead, chat.content('Hel'), stall]);
  const environment = new MockActivityEnvironment();
  const attempt = at.attempt(environment);
  await at.shown();
  environment.cancel('CANCELLED', new ActivityCancellationDetails({ workerShutdown: true }));
  const lost = { status: 'failed', code: 'worker_lost' };
  assert.deepEqual(await attempt, lost);
  assert.deepEqual(await at.attemptElsewhere(), lost);
  assert.equal(at.model.requests.length, 1);
});

test('T2, T9 · a call whose name may go on has shown nothing yet: a shutdown of the worker hands its request on', async () => {
  const named = chat.toolCall(0, { id: 'a', name: 'look' });
  await using at = await scene([sseHead, named, hold('named'), stall], [sseHead, named, chat.toolCall(0, { arguments: '{' }), stall]);
  const handedOn = new MockActivityEnvironment();
  const attempt = failureOf(at.attempt(handedOn));
  await at.model.reached('named');
  handedOn.cancel('CANCELLED', new ActivityCancellationDetails({ workerShutdown: true }));
  assert.equal((await attempt).nonRetryable, false);
  const shown = async (): Promise<unknown> =>
    (await at.journal()).map(({ type }) => type).filter((type) => type !== 'response.in_progress');
  assert.deepEqual(await shown(), ['response.created', 'response.queued'], 'nothing was shown, so that nothing is shown twice');
  // Once it is shown, it has started.
  const environment = new MockActivityEnvironment();
  const next = at.attemptElsewhere({ environment });
  await at.shown('response.output_item.added');
  environment.cancel('CANCELLED', new ActivityCancellationDetails({ workerShutdown: true }));
  assert.deepEqual(await next, { status: 'failed', code: 'worker_lost' });
  assert.equal(at.model.requests.length, 2);
});

test('T2 · the activity in another process waits for the attempt that runs, and returns its end', async () => {
  await using at = await scene(answer);
  const attempt = at.attempt();
  await at.model.reached('asked');
  const elsewhere = at.attemptElsewhere();
  at.model.release('asked');
  await at.shown();
  at.model.release('shown');
  assert.deepEqual(
    await Promise.all([attempt, elsewhere]),
    Array.from({ length: 2 }, () => ({ status: 'completed', code: null })),
  );
  assert.deepEqual([at.model.requests.length, (await at.store.readAttempts('resp_a')).length], [1, 1]);
});

test('T2 · an activity that comes while another attempt runs, and is given up while it waits, sends nothing', async () => {
  await using at = await scene(answer);
  const attempt = at.attempt();
  await at.model.reached('asked');
  const environment = new MockActivityEnvironment();
  const elsewhere = failureOf(at.attemptElsewhere({ environment }));
  environment.cancel('CANCELLED', new ActivityCancellationDetails({ timedOut: true }));
  assert.equal((await elsewhere).nonRetryable, false);
  at.model.release('asked');
  at.model.release('shown');
  assert.deepEqual(await attempt, { status: 'completed', code: null });
  assert.equal(at.model.requests.length, 1);
});

test('T2 · an activity that waits for the attempt of another process only reads, and claims nothing', async () => {
  await using at = await scene(answer);
  const attempt = at.attempt();
  await at.model.reached('asked');
  let looks = 0;
  let claims = 0;
  const { promise: looked, resolve } = Promise.withResolvers<void>();
  const elsewhere = at.attemptElsewhere({
    calls: (store) => ({
      async readHead(turn) {
        looks += 1;
        if (looks === 3) resolve();
        return store.readHead(turn);
      },
      async claim(request) {
        claims += 1;
        return store.claim(request);
      },
    }),
  });
  await looked;
  assert.equal(claims, 0);
  at.model.release('asked');
  at.model.release('shown');
  assert.deepEqual(
    await Promise.all([attempt, elsewhere]),
    Array.from({ length: 2 }, () => ({ status: 'completed', code: null })),
  );
});

test('T2 · after a sleep of the machine an activity takes no stream away that goes on: who lives renews its lease before the second look', async () => {
  await using at = await scene(answer);
  const attempt = at.attempt();
  at.model.release('asked');
  await at.shown();
  at.expireLeases();
  const renewed = Promise.withResolvers<void>();
  let hasRunOut = false;
  const elsewhere = at.attemptElsewhere({
    calls: (store) => ({
      async readHead(turn) {
        const head = await store.readHead(turn);
        hasRunOut ||= head?.lease === 'expired';
        if (hasRunOut && head?.lease === 'live') renewed.resolve();
        return head;
      },
    }),
  });
  await Promise.race([renewed.promise, elsewhere]);
  at.model.release('shown');
  assert.deepEqual(
    await Promise.all([attempt, elsewhere]),
    Array.from({ length: 2 }, () => ({ status: 'completed', code: null })),
  );
});

test('T5 · a turn that waits for room is cancelled where it waits', async () => {
  await using at = await scene(answer);
  const elsewhere = at.attemptElsewhere({
    maxAttempts: 0,
    calls: (store) => ({
      async readTurn(id) {
        const row = await store.readTurn(id);
        // Behind the first look.
        await store.requestCancel('default', 'resp_a', Date.now());
        return row;
      },
    }),
  });
  assert.deepEqual(await elsewhere, { status: 'cancelled', code: null });
  assert.equal(at.model.requests.length, 0);
});

test('T6 · a turn that waits for room, and has its end meanwhile, waits no longer', async () => {
  await using at = await scene(answer);
  const elsewhere = at.attemptElsewhere({
    maxAttempts: 0,
    calls: (store) => ({
      async readTurn(id) {
        const row = await store.readTurn(id);
        if (row?.settledAtMs === null) await settle(at.store, 'resp_a');
        return row;
      },
    }),
  });
  assert.deepEqual(await elsewhere, { status: 'cancelled', code: null });
  assert.equal(at.model.requests.length, 0);
});

test('T5 · a cancel that was asked for hands in what there is', async () => {
  await using at = await scene([sseHead, chat.content('Hel'), stall]);
  const environment = new MockActivityEnvironment();
  const attempt = at.attempt(environment);
  await at.shown();
  environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
  assert.deepEqual(await attempt, { status: 'cancelled', code: null });
  await at.model.clientClosed(1);
  assert.equal((await at.store.readResponse('resp_a'))?.output.length, 1);
});

const costly = [sseHead, chat.usage(7, 3), chat.content('Hel'), stall];

for (const [how, stop] of [
  ['that waits for it', 'wait'],
  ['that settles the turn', 'settle'],
] as const) {
  test(`T5 · a cancel of Temporal’s to an activity ${how} reaches the attempt of another process, which hands in what it has`, async () => {
    await retold(async () => {
      await using at = await scene(costly);
      const attempt = at.attempt();
      await at.shown();
      const cancelled = { status: 'cancelled', code: null };
      if (stop === 'wait') {
        const environment = new MockActivityEnvironment();
        const elsewhere = at.attemptElsewhere({ environment });
        environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
        assert.deepEqual(await elsewhere, cancelled);
      } else assert.deepEqual(await at.settle('resp_a', { status: 'cancelled' }), cancelled);
      assert.deepEqual(await attempt, cancelled);
      await at.model.clientClosed(1);
      const [row, ...others] = await at.store.readAttempts('resp_a');
      assert.deepEqual(others, []);
      // One that stood still for as long as it is waited for has handed in nothing.
      if (row?.outcome !== 'cancelled') return false;
      assert.deepEqual([row.usage?.total_tokens, (await at.store.readResponse('resp_a'))?.usage?.total_tokens], [10, 10]);
      return true;
    });
  });
}

test('T5 · a cancel that nobody hears of is carried out all the same: the process of the attempt is dead', async () => {
  await using at = await scene(answer);
  const dead = await at.store.claim({ turn: 'resp_a', step: 1, lease: { holder: 'dead', lengthMs: 60_000 } });
  assert.equal(dead.type, 'granted');
  assert.deepEqual(await at.settle('resp_a', { status: 'cancelled' }), { status: 'cancelled', code: null });
  assert.deepEqual(
    (await at.store.readAttempts('resp_a')).map(({ outcome }) => outcome),
    ['lost'],
  );
});

test('T7 · a turn that is deleted while its stream is silent: the socket is closed, and the end that it had is adopted', async () => {
  await using at = await scene([sseHead, chat.content('Hel'), stall]);
  const attempt = at.attempt();
  await at.shown();
  await settle(at.store, 'resp_a');
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
  assert.deepEqual([turn?.usage?.total_tokens, (await at.store.readResponse('resp_a'))?.usage?.total_tokens], [10, 10]);
});
