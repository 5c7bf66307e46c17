/** What every driver of the store must do: the events that are owed to endpoints. */
import assert from 'node:assert/strict';
import { startAgainAfterMs, startGraceMs, type WebhookEvent, webhookEvents } from '../../src/domain/turn/webhook.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { setClock } from './clock.ts';
import { claimed, type Contract, ended, inserted, newTurn, sealOf, settle } from './contract.ts';

const unstarted = async (store: Store): Promise<string[]> => (await store.listUnstartedWebhooks(9)).map(({ turn }) => turn);

/** A turn that ends as cancelled. */
async function owing(store: Store, id: string, events: readonly WebhookEvent[] = webhookEvents): Promise<void> {
  await ended(store, id, { webhookEvents: events });
}

export function webhooksContract(contract: Contract): void {
  contract('an event is owed from the commit that gives the turn its end, for every process', async (store, database) => {
    await inserted(store, newTurn('resp_a', { webhookEvents, chosenId: 'resp_chosen', tenant: 'ann' }));
    assert.equal(await store.readWebhook('resp_a'), undefined, 'it runs');
    const { epoch } = await claimed(store, 'resp_a');
    const result = await store.seal(sealOf('resp_a', epoch));
    assert.equal(result.type === 'sealed' && result.owesWebhook, true);
    const settledAtMs = (await store.readTurn('resp_a'))?.settledAtMs;
    assert.deepEqual(await database.open().readWebhook('resp_a'), {
      turn: 'resp_a',
      tenant: 'ann',
      publicId: 'resp_chosen',
      event: 'response.completed',
      owedAtMs: settledAtMs,
      status: 'pending',
      attempts: 0,
      lastError: null,
    });
  });

  contract('an end that nobody wants to be told of, and a turn that promised nothing, owe no event', async (store) => {
    const wanted = { resp_a: ['response.completed', 'response.failed'], resp_b: [], resp_c: undefined } as const;
    for (const [id, events] of Object.entries(wanted)) {
      await inserted(store, newTurn(id, events === undefined ? {} : { webhookEvents: events }));
      const { epoch } = await claimed(store, id);
      const result = await store.seal(sealOf(id, epoch, { settled: { status: 'incomplete', code: null } }));
      assert.equal(result.type === 'sealed' && result.owesWebhook, undefined);
      assert.equal(await store.readWebhook(id), undefined);
    }
    await owing(store, 'resp_d', ['response.cancelled']);
    assert.equal((await store.readWebhook('resp_d'))?.event, 'response.cancelled');
  });

  contract('what nobody has handed to Temporal is listed, and again where it has no end long after it was', async (store) => {
    using clock = setClock();
    await owing(store, 'resp_a');
    assert.deepEqual(await unstarted(store), [], 'whoever wrote the end does it');
    const owedAtMs = Date.now();
    clock.move(startGraceMs);
    assert.deepEqual(await store.listUnstartedWebhooks(9), [{ turn: 'resp_a', owedAtMs }]);
    assert.deepEqual(await store.listUnstartedWebhooks(0), []);
    await store.markWebhookStarted('resp_a');
    assert.deepEqual(await unstarted(store), []);
    await store.noteWebhook('resp_a', { status: 'pending', attempts: 1, lastError: '500' });
    assert.deepEqual(await unstarted(store), [], 'its next request is Temporal’s to make');
    clock.move(startAgainAfterMs);
    assert.deepEqual(await unstarted(store), ['resp_a']);
    await store.markWebhookStarted('resp_a');
    clock.move(-1);
    assert.deepEqual(await unstarted(store), ['resp_a'], 'the clock was set back');
    await store.noteWebhook('resp_a', { status: 'delivered', attempts: 2, lastError: '500' });
    await store.markWebhookStarted('resp_a');
    assert.deepEqual(await unstarted(store), []);
    clock.move(10 * startAgainAfterMs);
    assert.deepEqual(await unstarted(store), []);
  });

  contract('an end of a delivery is kept, whatever comes after it', async (store) => {
    await owing(store, 'resp_a');
    await store.noteWebhook('resp_a', { status: 'pending', attempts: 1, lastError: 'ECONNREFUSED' });
    await store.noteWebhook('resp_a', { status: 'delivered', attempts: 2, lastError: 'ECONNREFUSED' });
    await store.noteWebhook('resp_a', { status: 'given_up', attempts: 3, lastError: '500' });
    const { status, attempts, lastError } = (await store.readWebhook('resp_a')) ?? {};
    assert.deepEqual([status, attempts, lastError], ['delivered', 2, 'ECONNREFUSED']);
    await store.noteWebhook('resp_none', { status: 'delivered', attempts: 1, lastError: null });
    assert.equal(await store.readWebhook('resp_none'), undefined);
  });

  contract('with a turn that is deleted, or past retention, its event is gone', async (store) => {
    using clock = setClock();
    await owing(store, 'resp_a');
    await owing(store, 'resp_b');
    await store.deleteTurn('default', 'resp_a', 9);
    assert.equal(await store.readWebhook('resp_a'), undefined);
    clock.move(startGraceMs);
    assert.deepEqual(await unstarted(store), ['resp_b']);
    const cut = { beforeMs: Date.now(), atMs: Date.now() };
    for (let from = await store.expire(cut); from !== undefined;) {
      from = await store.expire(cut, from);
    }
    assert.equal(await store.readWebhook('resp_b'), undefined);
    assert.deepEqual(await unstarted(store), []);
  });

  contract('a turn that ended before it ran owes its event too', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
    await inserted(store, newTurn('resp_b', { session: 'conv_a', webhookEvents, bodyHash: 'other' }));
    await settle(store, 'resp_b');
    assert.equal((await store.readWebhook('resp_b'))?.event, 'response.cancelled');
  });
}
