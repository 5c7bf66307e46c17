/** `deliverWebhook` against a real endpoint, without a Temporal server. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { deliverWebhook } from '../../src/activities/webhook/deliver-webhook.ts';
import { WebhookSender } from '../../src/activities/webhook/webhook-sender.ts';
import type { WebhookEnd } from '../../src/contract/activities.ts';
import { type WebhookReport, type WebhookEndpoint, webhookEvents } from '../../src/domain/turn/webhook.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { selfSigned } from '../../src/testing/model-server/index.ts';
import { setClock } from '../store/clock.ts';
import { ended } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';
import { type Answer, type Receiver, startReceiver } from '../support/receiver.ts';

interface Deliveries {
  readonly store: Store;
  readonly receiver: Receiver;
  readonly attempts: readonly WebhookReport[];
  /** A turn that has ended, and owes its event. */
  readonly owe: (id: string, tenant?: string) => Promise<void>;
  /** One run of the activity. */
  readonly run: (id: string, environment?: MockActivityEnvironment) => Promise<WebhookEnd>;
}

interface Setup {
  /** Beside the receiver's own, which is for all tenants that have none here. */
  readonly endpoints?: readonly WebhookEndpoint[];
  readonly maxAtOnce?: number;
  readonly timeoutMs?: number;
  readonly hasEndpoint?: boolean;
}

async function deliveriesOf(
  context: TestContext,
  answers: readonly Answer[],
  { endpoints = [], hasEndpoint = true, ...options }: Setup = {},
): Promise<Deliveries> {
  const database = temporaryDatabase();
  const store = database.open();
  const receiver = await startReceiver();
  receiver.answer(...answers);
  const own = { tenant: null, url: receiver.url, secrets: [receiver.secretBytes], events: webhookEvents };
  const sender = new WebhookSender({ endpoints: [...endpoints, ...(hasEndpoint ? [own] : [])], ...options });
  const attempts: WebhookReport[] = [];
  context.after(async () => {
    await sender.close();
    await receiver[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });
  return {
    store,
    receiver,
    attempts,
    owe: async (id, tenant = 'default') => {
      await ended(store, id, { webhookEvents, tenant });
    },
    run: (id, environment = new MockActivityEnvironment()) =>
      environment.run(
        deliverWebhook,
        { store, webhooks: { sender, onReport: (attempt: WebhookReport) => attempts.push(attempt) } },
        { turn: id },
      ),
  };
}

async function failureOf(run: Promise<unknown>): Promise<ApplicationFailure> {
  const failure = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof ApplicationFailure);
  assert.equal(failure.nonRetryable, false);
  return failure;
}

test('T11 · a failed request is made again with the same id and body; the failure for Temporal has a code and no address', async (context) => {
  const { store, receiver, attempts, owe, run } = await deliveriesOf(context, [500, (response) => response.socket?.resetAndDestroy()]);
  await owe('resp_a');
  const failures = [await failureOf(run('resp_a')), await failureOf(run('resp_a'))];
  assert.deepEqual(
    failures.map(({ type, message, cause }) => [type, message, cause]),
    [
      ['webhook_failed', 'the endpoint did not take the event: 500', undefined],
      ['webhook_failed', 'the endpoint did not take the event: ECONNRESET', undefined],
    ],
  );
  const [first, second] = failures.map(({ nextRetryDelay }) => Number(nextRetryDelay));
  assert.ok(first! >= 800 && first! <= 1_200 && second! >= 3_200 && second! <= 4_800, `${first}, ${second}`);
  assert.deepEqual(await run('resp_a'), { status: 'delivered' });
  assert.equal(receiver.deliveries.length, 3);
  for (const { id, body, event } of receiver.deliveries) {
    assert.ok(!(event instanceof Error));
    assert.deepEqual([id, body], ['evt_a', receiver.deliveries[0]!.body]);
  }
  assert.deepEqual(await run('resp_a'), { status: 'delivered' }, 'what was taken is not sent again');
  assert.equal(receiver.deliveries.length, 3);
  const { status, attempts: count, lastError } = (await store.readWebhook('resp_a')) ?? {};
  assert.deepEqual([status, count, lastError], ['delivered', 3, 'ECONNRESET']);
  assert.deepEqual(
    attempts.map((attempt) => [attempt.eventId, attempt.responseId, attempt.status, attempt.attempts, attempt.error]),
    [
      ['evt_a', 'resp_a', 'pending', 1, '500'],
      ['evt_a', 'resp_a', 'pending', 2, 'ECONNRESET'],
      ['evt_a', 'resp_a', 'delivered', 3, undefined],
    ],
  );
});

test('410 is the end of it', async (context) => {
  const { store, receiver, owe, run } = await deliveriesOf(context, [410]);
  await owe('resp_a');
  assert.deepEqual([await run('resp_a'), await run('resp_a')], [{ status: 'refused' }, { status: 'refused' }]);
  assert.equal(receiver.deliveries.length, 1);
  assert.equal((await store.readWebhook('resp_a'))?.status, 'refused');
});

test('a redirect is not followed', async (context) => {
  await using elsewhere = await startReceiver();
  const redirect: Answer = (response) => response.writeHead(307, { location: elsewhere.url }).end();
  const { owe, run } = await deliveriesOf(context, [redirect]);
  await owe('resp_a');
  assert.equal((await failureOf(run('resp_a'))).message, 'the endpoint did not take the event: redirect 307');
  assert.equal(elsewhere.deliveries.length, 0);
});

test('an endpoint that does not answer is left in time', async (context) => {
  const { receiver, owe, run } = await deliveriesOf(context, [() => undefined], { timeoutMs: 100 });
  await owe('resp_a');
  // On a busy machine the time may be over before the request is there.
  do assert.match((await failureOf(run('resp_a'))).message, /: timeout$/);
  while (receiver.deliveries.length === 0);
  await receiver.hungUp(1);
});

test('an endpoint that is not there is told by its code', async (context) => {
  const gone = await startReceiver();
  await gone[Symbol.asyncDispose]();
  const absent = { tenant: null, url: gone.url, secrets: [gone.secretBytes], events: webhookEvents };
  const { owe, run } = await deliveriesOf(context, [], { endpoints: [absent], hasEndpoint: false });
  await owe('resp_a');
  assert.match((await failureOf(run('resp_a'))).message, /: ECONNREFUSED$/);
});

test('an endpoint that is taken for one and speaks another protocol is told by its code', async (context) => {
  const plain = createServer();
  await new Promise<void>((resolve) => {
    plain.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => plain.close());
  const url = `https://127.0.0.1:${(plain.address() as AddressInfo).port}/`;
  const odd = { tenant: null, url, secrets: [new Uint8Array(32)], events: webhookEvents };
  const { owe, run } = await deliveriesOf(context, [], { endpoints: [odd], hasEndpoint: false });
  await owe('resp_a');
  assert.match((await failureOf(run('resp_a'))).message, /: ERR_SSL_[A-Z_]+$/);
});

test('an endpoint whose certificate nobody vouches for gets nothing', async (context) => {
  await using secure = await startReceiver({ tls: selfSigned });
  const untrusted = { tenant: null, url: secure.url, secrets: [secure.secretBytes], events: webhookEvents };
  const { owe, run } = await deliveriesOf(context, [], { endpoints: [untrusted], hasEndpoint: false });
  await owe('resp_a');
  assert.match((await failureOf(run('resp_a'))).message, /: DEPTH_ZERO_SELF_SIGNED_CERT$/);
  assert.equal(secure.deliveries.length, 0);
});

test('T14 · of what an endpoint says beside its status, little is read', async (context) => {
  const endless: Answer = (response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    };
    response.on('drain', more).on('error', () => undefined);
    more();
  };
  const { receiver, owe, run } = await deliveriesOf(context, [endless]);
  await owe('resp_a');
  assert.deepEqual(await run('resp_a'), { status: 'delivered' });
  await receiver.hungUp(1);
});

test('T14 · an endpoint that hangs has its share of the requests, and the others theirs', async (context) => {
  await using other = await startReceiver();
  const others = { tenant: 'bob', url: other.url, secrets: [other.secretBytes], events: webhookEvents };
  const held: (() => void)[] = [];
  const hang: Answer = (response) => held.push(() => response.writeHead(200).end());
  const { receiver, owe, run } = await deliveriesOf(context, [hang], { maxAtOnce: 1, endpoints: [others] });
  for (const [id, tenant] of [
    ['resp_a', 'ann'],
    ['resp_b', 'ann'],
    ['resp_c', 'bob'],
  ] as const) {
    await owe(id, tenant);
  }
  const hanging = run('resp_a');
  await receiver.received(1);
  const { type, nextRetryDelay } = await failureOf(run('resp_b'));
  assert.deepEqual([type, Number(nextRetryDelay) >= 500], ['endpoint_busy', true]);
  assert.deepEqual(await run('resp_c'), { status: 'delivered' });
  for (const release of held) release();
  assert.deepEqual(await hanging, { status: 'delivered' });
  assert.deepEqual(await run('resp_b'), { status: 'delivered' });
});

test('T9 · a request that is under way when the worker shuts down is given up, and made again with the same id', async (context) => {
  const { store, receiver, attempts, owe, run } = await deliveriesOf(context, [() => undefined]);
  await owe('resp_a');
  const environment = new MockActivityEnvironment();
  const leaving = failureOf(run('resp_a', environment));
  await receiver.received(1);
  environment.cancel();
  const { type, nextRetryDelay } = await leaving;
  assert.deepEqual([type, nextRetryDelay], ['worker_shutdown', 1_000]);
  await receiver.hungUp(1);
  assert.deepEqual([attempts.length, (await store.readWebhook('resp_a'))?.attempts], [0, 0], 'nothing is known of it');
  assert.deepEqual(await run('resp_a'), { status: 'delivered' });
  assert.equal(receiver.deliveries[0]!.id, receiver.deliveries[1]!.id);
});

test('T9 · an endpoint that has answered, and does not end its answer, holds up no worker: it has taken the event', async (context) => {
  const endless: Answer = (response) => response.writeHead(200).write('…');
  const { receiver, owe, run } = await deliveriesOf(context, [endless]);
  await owe('resp_a');
  const environment = new MockActivityEnvironment();
  const leaving = run('resp_a', environment);
  await receiver.received(1);
  // The head of the answer may be on its way still: then nothing is known, and it is made again.
  environment.cancel();
  const end = await leaving.catch(() => undefined);
  assert.deepEqual(end ?? (await run('resp_a')), { status: 'delivered' });
  await receiver.hungUp(1);
});

test('a worker that has no endpoint for the tenant leaves the event to one that has', async (context) => {
  const { receiver, owe, run } = await deliveriesOf(context, [], { hasEndpoint: false });
  await owe('resp_a');
  assert.deepEqual((await failureOf(run('resp_a'))).type, 'no_endpoint');
  assert.equal(receiver.deliveries.length, 0);
});

test('the event of a response that was deleted since is not sent: there is nothing to fetch', async (context) => {
  const { store, receiver, owe, run } = await deliveriesOf(context, [500]);
  await owe('resp_a');
  await failureOf(run('resp_a'));
  await store.deleteTurn('default', 'resp_a', 9);
  assert.deepEqual(await run('resp_a'), { status: 'gone' });
  assert.equal(receiver.deliveries.length, 1);
});

test('what has failed for three days is given up', async (context) => {
  const { store, owe, run } = await deliveriesOf(context, [500]);
  await owe('resp_a');
  using clock = setClock();
  clock.move(72 * 3_600_000);
  assert.deepEqual(await run('resp_a'), { status: 'given_up' });
  assert.equal((await store.readWebhook('resp_a'))?.lastError, '500');
});
