/** Webhooks: the end of a background response is told to the endpoint of its tenant, once an event, whatever becomes of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webhookEvents, type WebhookEndpoint } from '../../src/domain/webhook.ts';
import { chat, chatAnswer, done, end, httpError, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { story, World, type WorldOptions } from '../support/world.ts';

const endpointOf = (receiver: Receiver, fields: Partial<WebhookEndpoint> = {}): WebhookEndpoint => ({
  tenant: null,
  url: receiver.url,
  secrets: [receiver.secretBytes],
  events: webhookEvents,
  ...fields,
});

async function begin(world: World, body: Record<string, unknown> = {}): Promise<string> {
  const { status, body: response } = await world.call('POST', '/v1/responses', { input: 'secret words', background: true, ...body });
  assert.equal(status, 200);
  return String(response['id']);
}

/** Resolves with how the run that delivers the event of a turn has ended. */
async function runOf(world: World, id: string): Promise<unknown> {
  return world.temporal.workflow.getHandle(`webhook/${eventIdOf(world, id)}`).result();
}

const eventIdOf = (world: World, id: string): string => world.ownId(id).replace('resp_', 'evt_');

/** A story with an endpoint of its own. */
function told(
  title: string,
  tell: (world: World, receiver: Receiver) => Promise<void>,
  options: Omit<WorldOptions, 'config'> & { readonly events?: WebhookEndpoint['events'] } = {},
): void {
  for (const [mode, replaysAlways] of [
    ['cached', false],
    ['replayed always', true],
  ] as const) {
    test(`${title} (${mode})`, { timeout: 60_000 }, async () => {
      await using receiver = await startReceiver();
      const { events = webhookEvents, ...rest } = options;
      await using world = await World.open({ ...rest, replaysAlways, config: { webhooks: [endpointOf(receiver, { events })] } });
      await tell(world, receiver);
      await world.replayAll();
    });
  }
}

told('each end of a background response is told in OpenAI’s words, signed so that its SDK accepts them', async (world, receiver) => {
  const ends = {
    'response.completed': chatAnswer('Hello'),
    'response.incomplete': [sseHead, chat.content('Hel'), chat.finish('length'), done, end],
    'response.failed': httpError(401),
  } as const;
  for (const [type, script] of Object.entries(ends)) {
    world.model.enqueue(script);
    const id = await begin(world);
    await runOfSettled(world, id);
    const { event, headers } = receiver.deliveries.at(-1)!;
    const response = await world.client.responses.retrieve(id);
    const created_at = Math.floor(Number((await world.store.readTurn(id))?.settledAtMs) / 1_000);
    assert.deepEqual(event, { id: eventIdOf(world, id), object: 'event', created_at, type, data: { id } });
    assert.equal(`response.${response.status}`, type);
    assert.equal(headers['content-type'], 'application/json');
  }
  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const id = await begin(world);
  await world.model.nextRequest(4);
  assert.equal((await world.client.responses.cancel(id)).status, 'cancelled');
  await receiver.received(4);
  assert.ok(!(receiver.deliveries[3]!.event instanceof Error));
  assert.deepEqual([receiver.deliveries[3]!.event.type, receiver.deliveries[3]!.event.data], ['response.cancelled', { id }]);
  assert.equal(receiver.deliveries.length, 4);
});

/** The turn has its end, and its event too. */
async function runOfSettled(world: World, id: string): Promise<void> {
  for (;;) {
    const { body } = await world.call('GET', `/turns/${id}`);
    if ((body['webhook'] as { status?: string } | undefined)?.status === 'delivered') break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await runOf(world, id), { status: 'delivered' });
}
void story;
