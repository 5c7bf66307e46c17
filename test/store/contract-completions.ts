/** What every driver of the store must do: stored Chat Completions. */
import assert from 'node:assert/strict';
import { failureOf } from '../../src/domain/failure.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { NewTurn, Store } from '../../src/store/ports/store.ts';
import { claimed, type Contract, ended, inserted, newTurn, sealOf, settle } from './contract.ts';

const completion = { isLegacy: false };

async function completed(store: Store, id: string, fields: Partial<NewTurn> = {}): Promise<void> {
  await inserted(store, newTurn(id, { completion, ...fields }));
  const { epoch } = await claimed(store, id);
  await store.seal(sealOf(id, epoch));
}

function asked(metadata: { [key: string]: string }, model = 'scripted'): Partial<NewTurn> {
  return { settings: { ...defaultSettings(model), metadata } };
}

async function idsOf(store: Store, query: object = {}): Promise<unknown> {
  const found = await store.listCompletions('default', { limit: 99, order: 'asc', ...query });
  return found?.map(({ publicId }) => publicId);
}

export function completionsContract(contract: Contract): void {
  contract('completions are listed by age, in pages, by model and metadata, and are their tenant’s alone', async (store) => {
    await completed(store, 'resp_a', asked({ kind: 'test', lang: 'en' }));
    await completed(store, 'resp_own', { ...asked({ kind: 'test' }, 'larger'), chosenId: 'resp_b' });
    await completed(store, 'resp_c');
    await completed(store, 'resp_other', { tenant: 'other' });
    await ended(store, 'resp_not_asked');
    await ended(store, 'resp_cancelled', { completion });
    await inserted(store, newTurn('resp_failed', { completion }));
    await settle(store, 'resp_failed', { status: 'failed', failure: failureOf('provider_rejected') });
    await inserted(store, newTurn('resp_running', { completion }));

    assert.deepEqual(await idsOf(store), ['resp_a', 'resp_b', 'resp_c']);
    assert.deepEqual(await idsOf(store, { order: 'desc' }), ['resp_c', 'resp_b', 'resp_a']);
    assert.deepEqual(await idsOf(store, { limit: 2 }), ['resp_a', 'resp_b']);
    assert.deepEqual(await idsOf(store, { after: 'resp_b' }), ['resp_c']);
    assert.deepEqual(await idsOf(store, { order: 'desc', after: 'resp_b' }), ['resp_a']);
    for (const after of ['resp_other', 'resp_not_asked', 'resp_failed', 'resp_running', 'resp_nobody']) {
      assert.equal(await idsOf(store, { after }), undefined, after);
    }
    assert.deepEqual(await idsOf(store, { model: 'larger' }), ['resp_b']);
    assert.deepEqual(await idsOf(store, { metadata: { kind: 'test' } }), ['resp_a', 'resp_b']);
    assert.deepEqual(await idsOf(store, { metadata: { kind: 'test', lang: 'en' } }), ['resp_a']);
    assert.deepEqual(await store.findCompletion('default', 'resp_b'), {
      turn: 'resp_own',
      publicId: 'resp_b',
      isLegacy: false,
      metadata: { kind: 'test' },
    });
    for (const id of ['resp_own', 'resp_other', 'resp_not_asked', 'resp_cancelled', 'resp_failed', 'resp_running']) {
      assert.equal(await store.findCompletion('default', id), undefined, id);
    }
  });

  contract('the metadata of a completion is replaced, and a deleted one is gone', async (store, database) => {
    await completed(store, 'resp_a', { ...asked({ kind: 'test' }), completion: { isLegacy: true } });
    const updated = { turn: 'resp_a', publicId: 'resp_a', isLegacy: true, metadata: { other: 'word' } };
    assert.deepEqual(await store.updateCompletion('default', 'resp_a', { other: 'word' }), updated);
    const other = database.open();
    assert.deepEqual(await other.findCompletion('default', 'resp_a'), updated);
    assert.deepEqual(await idsOf(other, { metadata: { kind: 'test' } }), []);
    assert.equal(await store.updateCompletion('other', 'resp_a', {}), undefined);
    await store.deleteTurn('default', 'resp_a', 9);
    assert.equal(await store.findCompletion('default', 'resp_a'), undefined);
    assert.equal(await store.updateCompletion('default', 'resp_a', {}), undefined);
    assert.deepEqual(await idsOf(store), []);
  });

  contract('T14 · what is rare is found behind many others', async (store) => {
    await completed(store, 'resp_wanted', asked({ kind: 'rare' }));
    for (let count = 0; count < 250; count += 1) await completed(store, `resp_${count}`);
    assert.deepEqual(await idsOf(store, { order: 'desc', metadata: { kind: 'rare' } }), ['resp_wanted']);
    assert.equal(((await idsOf(store, { limit: 1_000 })) as unknown[]).length, 251);
  });
}
