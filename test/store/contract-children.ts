/** What every driver of the store must do: turns that carry out a call of another one end with it. */
import assert from 'node:assert/strict';
import type { Usage } from '../../src/domain/response/response.ts';
import { claimed, type Contract, inserted, lease, newTurn, sealOf, settle } from './contract.ts';
import { newCall } from './contract-tool-calls.ts';

const parent = (number: number) => ({ parent: { turn: 'resp_a', number } });

export function childrenContract(contract: Contract): void {
  contract('a turn names the call that it carries out, and is found by the turn of the call', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    await inserted(store, newTurn('resp_c', parent(1)));
    await inserted(store, newTurn('resp_b', { ...parent(0), chosenId: 'resp_chosen' }));
    const other = database.open();
    assert.deepEqual((await other.readTurn('resp_c'))?.parent, { turn: 'resp_a', number: 1 });
    assert.equal((await other.readTurn('resp_a'))?.parent, null);
    assert.deepEqual(
      (await other.readChildren('resp_a')).toSorted((one, another) => one.number - another.number),
      [
        { number: 0, publicId: 'resp_chosen' },
        { number: 1, publicId: 'resp_c' },
      ],
    );
    assert.deepEqual(await other.readChildren('resp_c'), []);
  });

  contract('T5 · the commit that ends a turn books the cancel of those that work for it, and names them', async (store) => {
    await inserted(store, newTurn('resp_a'));
    await inserted(store, newTurn('resp_b', parent(0)));
    await inserted(store, newTurn('resp_c', parent(1)));
    await inserted(store, newTurn('resp_d'));
    await settle(store, 'resp_b');
    const { epoch } = await claimed(store, 'resp_a');
    const result = await store.seal(sealOf('resp_a', epoch));
    assert.deepEqual(result.type === 'sealed' && result.cancels, ['resp_c']);
    const cancelled = await Promise.all(['resp_b', 'resp_c', 'resp_d'].map(async (id) => (await store.readTurn(id))?.cancelRequestedAtMs));
    assert.deepEqual([cancelled[0], typeof cancelled[1], cancelled[2]], [null, 'number', null]);
    assert.equal((await store.claim({ turn: 'resp_c', step: 1, lease })).type, 'cancelled');
  });

  contract('T5 · a turn that comes after the end of the one it is to work for is one to be cancelled', async (store) => {
    await inserted(store, newTurn('resp_a'));
    await settle(store, 'resp_a');
    await inserted(store, newTurn('resp_b', parent(0)));
    await inserted(store, newTurn('resp_c', { parent: { turn: 'resp_gone', number: 0 } }));
    for (const id of ['resp_b', 'resp_c']) assert.notEqual((await store.readTurn(id))?.cancelRequestedAtMs, null, id);
  });

  contract('the tokens of the turn that carried it out are kept with a call', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const key = { turn: 'resp_a', step: 1, attempt, end: { endedAtMs: 1, outcome: 'completed' } } as const;
    const calls = [newCall(0), newCall(1)];
    assert.equal(await store.endStep({ turn: 'resp_a', epoch, rows: [], attempt: key, calls, isLast: false }), 'ended');
    const tools = await store.claim({ turn: 'resp_a', step: 2, lease });
    assert.equal(tools.type, 'tools');
    const usage = { total_tokens: 7 } as unknown as Usage;
    const end = {
      turn: 'resp_a',
      epoch: tools.epoch,
      rows: [],
      outcome: 'completed',
      result: '',
      end: { status: 'completed', output: '' },
    } as const;
    assert.equal(await store.endToolCall({ ...end, number: 0, usage }), true);
    assert.equal(await store.endToolCall({ ...end, number: 1 }), true);
    assert.deepEqual(
      (await database.open().readToolCalls('resp_a')).map((call) => call.usage),
      [usage, undefined],
    );
  });

  contract('what is not to be stored is kept as long as the turn that asked for it runs', async (store) => {
    const settings = { ...newTurn('resp_x').settings, store: false };
    await inserted(store, newTurn('resp_a'));
    await inserted(store, newTurn('resp_b', { ...parent(0), settings }));
    await settle(store, 'resp_b');
    const cut = { acknowledgedBeforeMs: Date.now() + 1_000, settledBeforeMs: Date.now() + 1_000 };
    while ((await store.purgeUnstored(cut)) > 0);
    assert.equal((await store.readTurn('resp_b'))?.status, 'cancelled');
    await settle(store, 'resp_a');
    while ((await store.purgeUnstored(cut)) > 0);
    assert.equal(await store.readTurn('resp_b'), undefined);
  });
}
