/** What every driver of the store must do: the list of a tenant's turns. */
import assert from 'node:assert/strict';
import { failureOf } from '../../src/domain/failure.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { TurnFilter } from '../../src/domain/turn/turn-list.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { claimed, type Contract, ended, inserted, newTurn, settle } from './contract.ts';

async function idsOf(store: Store, filter: TurnFilter = {}, page: { limit?: number; after?: string } = {}): Promise<unknown> {
  return (await store.listTurns('default', { filter, limit: 99, ...page }))?.map(({ publicId }) => publicId);
}

export function listContract(contract: Contract): void {
  contract('a tenant lists its turns that it may see, newest first, in pages, and those that a filter asks for', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await ended(store, 'resp_a', { createdAtMs: 1_000, session: 'conv_a' });
    await inserted(store, newTurn('resp_own', { chosenId: 'resp_b', createdAtMs: 2_000 }));
    await claimed(store, 'resp_own');
    await settle(store, 'resp_own', { status: 'failed', failure: failureOf('provider_rejected') });
    await ended(store, 'resp_other', { tenant: 'other' });
    await ended(store, 'resp_deleted');
    await store.deleteTurn('default', 'resp_deleted', 9);
    await ended(store, 'resp_unstored', { settings: { ...defaultSettings('scripted'), store: false } });
    await inserted(store, newTurn('resp_c', { createdAtMs: 3_000, settings: defaultSettings('larger') }));

    assert.deepEqual(await idsOf(store), ['resp_c', 'resp_b', 'resp_a']);
    assert.deepEqual(await idsOf(store, {}, { limit: 2 }), ['resp_c', 'resp_b']);
    assert.deepEqual(await idsOf(store, {}, { after: 'resp_b' }), ['resp_a']);
    assert.equal(await idsOf(store, {}, { after: 'resp_other' }), undefined);
    for (const [filter, expected] of [
      [{ status: 'failed' }, ['resp_b']],
      [{ status: 'queued' }, ['resp_c']],
      [{ code: 'provider_rejected' }, ['resp_b']],
      [{ code: 'worker_lost' }, []],
      [{ session: 'conv_a' }, ['resp_a']],
      [{ model: 'larger' }, ['resp_c']],
      [{ sinceMs: 2_000 }, ['resp_c', 'resp_b']],
      [{ untilMs: 2_000 }, ['resp_a']],
      [{ sinceMs: 2_000, untilMs: 3_000, status: 'failed', model: 'scripted' }, ['resp_b']],
    ] as const) {
      assert.deepEqual(await idsOf(store, filter), expected, JSON.stringify(filter));
    }
    const [failed] = (await store.listTurns('default', { filter: { status: 'failed' }, limit: 1 })) ?? [];
    assert.ok(failed);
    const { settledAtMs, usage: _unknown, ...facts } = failed;
    assert.equal(typeof settledAtMs, 'number');
    const known = { publicId: 'resp_b', session: null, status: 'failed', model: 'scripted', errorCode: 'provider_rejected', detail: null };
    assert.deepEqual(facts, { ...known, createdAtMs: 2_000, requests: 1, owner: null });
  });
}
