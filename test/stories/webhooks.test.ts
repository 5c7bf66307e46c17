/** Webhooks: the end of a background response is told to the endpoint of its tenant, once an event, whatever becomes of it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { pino } from 'pino';
import { type WebhookEndpoint, webhookEvents } from '../../src/domain/turn/webhook.ts';
import { chat, chatAnswer, done, end, httpError, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { type Answer, type Receiver, startReceiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { World, type WorldOptions } from '../support/world.ts';

const endpointOf = (receiver: Receiver, fields: Partial<WebhookEndpoint> = {}): WebhookEndpoint => ({
  tenant: null,
  url: receiver.url,
  secrets: [receiver.secretBytes],
  events: webhookEvents,
  ...fields,
});

/** A story with an endpoint. The workflow is in the worker's cache, and replayed from its history at every task. */
function told(
  title: string,
  tell: (world: World, receiver: Receiver) => Promise<void>,
  { events = webhookEvents, ...options }: WorldOptions & { readonly events?: WebhookEndpoint['events'] } = {},
): void {
  for (const [mode, replaysAlways] of [
    ['cached', false],
    ['replayed always', true],
  ] as const) {
    test(`${title} (${mode})`, { timeout: 60_000 }, async () => {
      await using receiver = await startReceiver();
      const config = { webhooks: [endpointOf(receiver, { events })], ...options.config };
      await using world = await World.open({ ...options, replaysAlways, config });
      await tell(world, receiver);
      await world.replayAll();
    });
  }
}

async function begin(world: World, body: Record<string, unknown> = {}): Promise<string> {
  const { status, body: response } = await world.call('POST', '/v1/responses', { input: 'secret words', background: true, ...body });
  assert.equal(status, 200);
  return String(response['id']);
}

const eventIdOf = (id: string): string => id.replace('resp_', 'evt_');

/** Resolves with how the run that delivers the event of a turn has ended, once there is one. */
async function delivered(world: World, id: string): Promise<unknown> {
  const handle = world.temporal.workflow.getHandle(`webhook/${eventIdOf(id)}`);
  await started(world, id);
  return handle.result();
}

async function started(world: World, id: string): Promise<void> {
  await untilEnded(world, id);
  const handle = world.temporal.workflow.getHandle(`webhook/${eventIdOf(id)}`);
  const isThere = (): Promise<boolean> =>
    handle.describe().then(
      () => true,
      () => false,
    );
  await until(isThere);
}

async function untilEnded(world: World, id: string): Promise<void> {
  const isOver = async (): Promise<boolean> => ((await world.store.readTurn(id))?.settledAtMs ?? null) !== null;
  await until(isOver);
}

const webhookOf = async (world: World, id: string): Promise<unknown> => (await world.call('GET', `/turns/${id}`)).body['webhook'];

told('each end of a background response is told in OpenAI’s words, signed so that its SDK accepts them', async (world, receiver) => {
  const ends = {
    'response.completed': chatAnswer('Hello'),
    'response.incomplete': [sseHead, chat.content('Hel'), chat.finish('length'), done, end],
    'response.failed': httpError(401),
  };
  for (const [type, script] of Object.entries(ends)) {
    world.model.enqueue(script);
    const id = await begin(world);
    assert.deepEqual(await delivered(world, id), { status: 'delivered' });
    const { event, headers } = receiver.deliveries.at(-1)!;
    const created_at = Math.floor(Number((await world.store.readTurn(id))?.settledAtMs) / 1_000);
    assert.deepEqual(event, { id: eventIdOf(id), object: 'event', created_at, type, data: { id } });
    assert.equal(`response.${(await world.client.responses.retrieve(id)).status}`, type);
    assert.equal(headers['content-type'], 'application/json');
    const report = { event_id: eventIdOf(id), event: type, status: 'delivered', attempts: 1, last_error: null };
    assert.deepEqual(await webhookOf(world, id), report);
  }
  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const id = await begin(world);
  await world.model.nextRequest(4);
  assert.equal(await webhookOf(world, id), undefined);
  assert.equal((await world.client.responses.cancel(id)).status, 'cancelled');
  await delivered(world, id);
  const { event } = receiver.deliveries.at(-1)!;
  assert.ok(!(event instanceof Error));
  assert.deepEqual([event.type, event.data, receiver.deliveries.length], ['response.cancelled', { id }, 4]);
});

told(
  'a receiver that fails, and one that resets its sockets: the same id and body again, signed anew, until it accepts',
  async (world, receiver) => {
    world.model.enqueue(chatAnswer('Hello'));
    receiver.answer(500, (response) => response.socket?.resetAndDestroy());
    const id = await begin(world);
    assert.deepEqual(await delivered(world, id), { status: 'delivered' });
    assert.equal(receiver.deliveries.length, 3);
    for (const delivery of receiver.deliveries) {
      assert.ok(!(delivery.event instanceof Error), 'the SDK accepts each');
      assert.deepEqual([delivery.id, delivery.body], [eventIdOf(id), receiver.deliveries[0]!.body]);
    }
    const [first, , last] = receiver.deliveries.map(({ headers }) => headers['webhook-timestamp']);
    assert.notEqual(first, last, 'a receiver refuses what was signed long ago');
    const report = { event_id: eventIdOf(id), event: 'response.completed', status: 'delivered', attempts: 3, last_error: 'ECONNRESET' };
    assert.deepEqual(await webhookOf(world, id), report);
  },
);

told('a receiver that answers 410 does not get the event again, and gets the next one', async (world, receiver) => {
  world.model.enqueue(chatAnswer('Hello'), chatAnswer('again'));
  receiver.answer(410);
  assert.deepEqual(await delivered(world, await begin(world)), { status: 'refused' });
  assert.deepEqual(await delivered(world, await begin(world)), { status: 'delivered' });
  assert.equal(receiver.deliveries.length, 2);
});

told(
  'only background responses are told of, and of these the ends that are wanted',
  async (world, receiver) => {
    world.model.enqueue(chatAnswer('one'), chatAnswer('two'), httpError(401));
    const plain = await world.hear('not in the background');
    const completed = await begin(world);
    await untilEnded(world, completed);
    const failed = await begin(world);
    assert.deepEqual(await delivered(world, failed), { status: 'delivered' });
    assert.deepEqual(
      receiver.deliveries.map(({ id }) => id),
      [eventIdOf(failed)],
    );
    for (const id of [plain.id, completed]) assert.equal(await webhookOf(world, id), undefined);
  },
  { events: ['response.failed'] },
);

told(
  'two gateways: each event once, whichever of them took its turn in',
  async (world, receiver) => {
    await world.startGateway();
    const ids = await Promise.all(
      Array.from({ length: 12 }, async (_, at) => {
        const response = await fetch(`${world.gateways[at % 2]!.url}/v1/responses`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ input: 'secret words', background: true }),
        });
        return ((await response.json()) as { id: string }).id;
      }),
    );
    await Promise.all(ids.map((id) => delivered(world, id)));
    assert.deepEqual(receiver.deliveries.map(({ id }) => id).toSorted(), ids.map(eventIdOf).toSorted());
  },
  { model: () => ({ fallback: () => chatAnswer('Hello') }) },
);

told(
  'T14 · a receiver that hangs holds up neither turns nor the end of the worker; the worker after it delivers, under the same id',
  async (world, receiver) => {
    const hang: Answer = () => undefined;
    receiver.answer(...Array.from({ length: 16 }, () => hang));
    const ids = await Promise.all(Array.from({ length: 20 }, () => begin(world)));
    await receiver.received(16);
    assert.equal((await world.hear('hi')).last.response.status, 'completed');
    const [first] = world.workers;
    first!.shutdown();
    await first!.stopped;
    await receiver.hungUp(16);
    await world.startWorker();
    const ends = await Promise.all(ids.map((id) => delivered(world, id)));
    assert.deepEqual(
      ends,
      ids.map(() => ({ status: 'delivered' })),
    );
    const hung = receiver.deliveries.slice(0, 16).map(({ id }) => id);
    const taken = receiver.deliveries.slice(16).map(({ id }) => id);
    assert.deepEqual(taken.toSorted(), ids.map(eventIdOf).toSorted(), 'each is taken once');
    assert.equal(new Set(hung).size, 16);
  },
  { model: () => ({ fallback: () => chatAnswer('Hello') }) },
);

told(
  'a request that is under way when its worker shuts down may end within the drain, and is not made again',
  async (world, receiver) => {
    world.model.enqueue(chatAnswer('Hello'));
    const held: (() => void)[] = [];
    receiver.answer((response) => held.push(() => response.writeHead(200).end()));
    const id = await begin(world);
    await receiver.received(1);
    const [worker] = world.workers;
    worker!.shutdown();
    for (const release of held) release();
    await worker!.stopped;
    await world.startWorker();
    assert.deepEqual(await delivered(world, id), { status: 'delivered' });
    assert.equal(receiver.deliveries.length, 1);
  },
  { limits: { drainMs: 10_000 } },
);

told('a response that is deleted before its event was taken is told of no more', async (world, receiver) => {
  world.model.enqueue(chatAnswer('Hello'));
  receiver.answer(...refusals);
  const id = await begin(world);
  await receiver.received(1);
  await untilNoted(world, id);
  await world.client.responses.delete(id);
  assert.deepEqual(await delivered(world, id), { status: 'gone' });
  // Most often one; more where the next try was due before it was deleted.
  assert.ok(receiver.deliveries.length < refusals.length);
});

/** As many as come before a test has done what it is to do: no event is taken meanwhile. */
const refusals = Array.from({ length: 10 }, () => 503);

async function untilNoted(world: World, id: string): Promise<void> {
  await until(async () => ((await world.store.readWebhook(id))?.attempts ?? 0) > 0);
}

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

test('a tenant’s events go to its own endpoint, signed with its own secret', { timeout: 60_000 }, async () => {
  await using ann = await startReceiver();
  await using others = await startReceiver();
  const webhooks = [endpointOf(others), endpointOf(ann, { tenant: 'ann' })];
  const apiKeys = ['ann', 'bob'].map((name) => ({ name, hash: hashOf(name) }));
  await using world = await World.open({ config: { webhooks, apiKeys }, model: () => ({ fallback: () => chatAnswer('Hello') }) });
  for (const [tenant, receiver] of [
    ['ann', ann],
    ['bob', others],
  ] as const) {
    const response = await fetch(`${world.url}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${tenant}` },
      body: JSON.stringify({ input: 'hi', background: true }),
    });
    const { id } = (await response.json()) as { id: string };
    await delivered(world, id);
    assert.equal(receiver.deliveries.length, 1);
    const [{ event }] = receiver.deliveries as [Receiver['deliveries'][number]];
    assert.ok(!(event instanceof Error));
    assert.equal(event.id, eventIdOf(id));
  }
  await world.replayAll();
});

told('an event that is handed over again has its run already, also one that is done: it is sent once', async (world, receiver) => {
  world.model.enqueue(chatAnswer('Hello'));
  const id = await begin(world);
  assert.deepEqual(await delivered(world, id), { status: 'delivered' });
  // What was noted of it is lost, as in a database that was restored.
  await world.database.ask(`UPDATE webhooks SET status = 'pending', attempts = 0, start_at = 1`);
  const statusOf = async (): Promise<unknown> => (await world.store.readWebhook(id))?.status;
  await until(async () => (await statusOf()) !== 'pending');
  assert.equal(await statusOf(), 'delivered', 'it is known again');
  assert.equal(receiver.deliveries.length, 1);
  assert.deepEqual(await delivered(world, id), { status: 'delivered' });
});

told('a delivery whose run is terminated by hand is given up', async (world, receiver) => {
  world.model.enqueue(chatAnswer('Hello'));
  receiver.answer(...refusals);
  const id = await begin(world);
  await receiver.received(1);
  await untilNoted(world, id);
  await world.temporal.workflow.getHandle(`webhook/${eventIdOf(id)}`).terminate();
  await world.database.ask('UPDATE webhooks SET start_at = 1');
  await until(async () => (await world.store.readWebhook(id))?.status === 'given_up');
  assert.ok(receiver.deliveries.length < refusals.length);
});

test('while no worker has endpoints an event waits, and no turn with it', { timeout: 60_000 }, async () => {
  await using receiver = await startReceiver();
  const webhooks = [endpointOf(receiver)];
  await using world = await World.open({ config: { webhooks }, hasWorker: false, model: () => ({ fallback: () => chatAnswer('Hello') }) });
  await world.startWorker(world.openStore(), { webhooks: [] });
  const id = await begin(world);
  await untilEnded(world, id);
  await started(world, id);
  assert.equal((await world.hear('hi')).last.response.status, 'completed');
  assert.equal(receiver.deliveries.length, 0);
  const [first] = world.workers;
  first!.shutdown();
  await first!.stopped;
  await world.startWorker();
  assert.deepEqual(await delivered(world, id), { status: 'delivered' });
  await world.replayAll();
});

test(
  'T11 · the log has a line for each request, a warning where it failed, and no address, secret or word in it',
  { timeout: 60_000 },
  async () => {
    await using receiver = await startReceiver();
    receiver.answer(500);
    const lines: string[] = [];
    const log = pino({ level: 'trace' }, { write: (line) => void lines.push(line) });
    await using world = await World.open({
      log,
      config: { webhooks: [endpointOf(receiver)] },
      model: () => ({ fallback: () => chatAnswer('Hello') }),
    });
    const id = await begin(world);
    assert.deepEqual(await delivered(world, id), { status: 'delivered' });
    const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => String(msg).startsWith('webhook'));
    assert.deepEqual(
      told.map((line) => [
        line['level'],
        line['msg'],
        line['eventId'],
        line['responseId'],
        line['status'],
        line['attempts'],
        line['error'],
      ]),
      [
        [40, 'webhook not delivered', eventIdOf(id), id, 'pending', 1, '500'],
        [30, 'webhook delivered', eventIdOf(id), id, 'delivered', 2, undefined],
      ],
    );
    const all = lines.join('');
    for (const secret of [new URL(receiver.url).host, receiver.secret.slice('whsec_'.length), 'secret words'])
      assert.ok(!all.includes(secret), secret);
    assert.match(await (await fetch(`${world.url}/metrics`)).text(), /turnkeep_webhook_deliveries_total\{outcome="failed"\} 1/);
  },
);

test('an id that the client has chosen is the one that the event names', { timeout: 60_000 }, async () => {
  await using receiver = await startReceiver();
  await using world = await World.open({
    config: { webhooks: [endpointOf(receiver)] },
    model: () => ({ fallback: () => chatAnswer('Hello') }),
  });
  const chosen = await fetch(`${world.url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-turnkeep-response-id': 'resp_mine' },
    body: JSON.stringify({ input: 'hi', background: true }),
  });
  assert.equal(chosen.status, 200);
  const [{ event }] = (await receiver.received(1)) as [Receiver['deliveries'][number]];
  assert.ok(!(event instanceof Error));
  assert.deepEqual([event.id, event.data], [eventIdOf(await world.ownId('resp_mine')), { id: 'resp_mine' }]);
});
