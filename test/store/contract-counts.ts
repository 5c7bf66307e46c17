/** What every driver of the store must do: the numbers that operators see. */
import assert from 'node:assert/strict';
import { setClock } from './clock.ts';
import { claimed, type Contract, newTurn, settle } from './contract.ts';

export function countsContract(contract: Contract): void {
  contract('the ends of a tenant are counted, as long as they are not too long ago', async (store, database) => {
    using clock = setClock();
    for (const id of ['resp_a', 'resp_b', 'resp_c']) await store.insertTurn(newTurn(id, { tenant: 'ann', bodyHash: id }));
    await store.insertTurn(newTurn('resp_other', { tenant: 'bob' }));
    await settle(store, 'resp_a');
    await settle(store, 'resp_other');
    clock.move(5_000);
    await settle(store, 'resp_b');
    clock.move(4_999);
    assert.deepEqual([await store.countEnded('ann', 10_000), await store.countEnded('bob', 10_000)], [2, 1]);
    clock.move(1);
    assert.deepEqual([await database.open().countEnded('ann', 10_000), await store.countEnded('nobody', 10_000)], [1, 0]);
  });

  contract(
    'unsettled turns are counted, those that a worker has claimed and those that wait, with the oldest of both',
    async (store, database) => {
      const none = { running: 0, waiting: 0, oldestReadyAtMs: null, oldestRenewalAtMs: null };
      assert.deepEqual(await store.counts(), none);
      await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
      for (const id of ['resp_a', 'resp_b', 'resp_c']) await store.insertTurn(newTurn(id));
      for (const id of ['resp_d', 'resp_e']) await store.insertTurn(newTurn(id, { session: 'conv_a' }));
      const readyAt = async (id: string) => (await store.readTurn(id))?.readyAtMs;
      const all = await store.counts();
      assert.deepEqual(all, { ...none, waiting: 5, oldestReadyAtMs: await readyAt('resp_a') });
      await claimed(store, 'resp_a');
      const first = await store.counts();
      const since = first.oldestRenewalAtMs ?? 0;
      assert.ok(since >= (all.oldestReadyAtMs ?? 0), 'the lease began behind the turn');
      await claimed(store, 'resp_b');
      await settle(store, 'resp_c');
      // The one that waits for the turn before it in its session is not ready.
      const two = await database.open().counts();
      assert.deepEqual(two, { running: 2, waiting: 2, oldestReadyAtMs: await readyAt('resp_d'), oldestRenewalAtMs: since });
      await settle(store, 'resp_a');
      await settle(store, 'resp_d');
      const last = await store.counts();
      assert.deepEqual([last.running, last.waiting, last.oldestReadyAtMs], [1, 1, await readyAt('resp_e')]);
      assert.ok((last.oldestRenewalAtMs ?? 0) >= since);
      await settle(store, 'resp_b');
      await settle(store, 'resp_e');
      assert.deepEqual(await store.counts(), none);
    },
  );
}
