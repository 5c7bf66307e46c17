/** What every driver of the store must do: answers that their providers keep, and that another process may read on. */
import assert from 'node:assert/strict';
import { mostReattachments } from '../../src/domain/turn/kept-response.ts';
import { setClock } from './clock.ts';
import { claimed, type Contract, expiredLease, inserted, lease, newTurn, row, sealOf } from './contract.ts';

const key = { turn: 'resp_a', step: 1, attempt: 1 };
const response = { id: 'resp_p', after: 2 };

export function keptResponsesContract(contract: Contract): void {
  contract(
    'T2 · T7 · the answer of a lost attempt is read on under a higher epoch: no request is booked, none is lost, the dead one writes no more',
    async (store, database) => {
      await inserted(store, newTurn('resp_a'));
      const dead = await claimed(store, 'resp_a', { lease: expiredLease });
      assert.equal(await store.bookKeptResponse({ ...key, epoch: dead.epoch, response }), true);
      assert.equal(await store.append({ turn: 'resp_a', epoch: dead.epoch, rows: [row(3)], starts: key }), true);
      const other = database.open();
      const heir = await claimed(other, 'resp_a', { lease: { holder: 'heir', lengthMs: 60_000 } });
      assert.deepEqual([heir.attempt, heir.response, heir.lostAttempts, heir.epoch], [1, response, 0, dead.epoch + 1]);
      assert.equal(await store.append({ turn: 'resp_a', epoch: dead.epoch, rows: [row(4)] }), false);
      assert.equal(await store.bookKeptResponse({ ...key, epoch: dead.epoch, response: { id: 'resp_q', after: 3 } }), false);
      await store.noteReattachment({ ...key, epoch: dead.epoch, reattachment: { atMs: 9, after: 1, reason: 'ECONNRESET' } });
      // Nor does it end what the other one reads on.
      await store.endAttempt(key, dead.epoch, { endedAtMs: 9, outcome: 'failed', code: 'turn_timeout' });
      assert.equal((await store.readHead('resp_a'))?.lease, 'live');
      const attempts = await store.readAttempts('resp_a');
      assert.deepEqual(
        attempts.map(({ outcome, keptResponse, reattachments }) => [outcome, keptResponse, reattachments?.map(({ reason }) => reason)]),
        [[undefined, response, ['worker_lost']]],
      );
    },
  );

  contract('an answer that was passed on is due at once, and its lease is over; whoever comes reads it on', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    await store.bookKeptResponse({ ...key, epoch, response });
    await store.passOn({ ...key, epoch: epoch - 1 });
    assert.equal((await store.readHead('resp_a'))?.lease, 'live');
    await store.passOn({ ...key, epoch });
    assert.equal((await store.readHead('resp_a'))?.lease, 'none');
    {
      using clock = setClock();
      clock.move(2_000);
      assert.deepEqual(
        (await store.listOverdue({ dueForMs: 1_000, limit: 9 })).map(({ turn, step }) => [turn, step]),
        [['resp_a', 1]],
      );
    }
    const heir = await claimed(store, 'resp_a');
    assert.deepEqual([heir.attempt, heir.response], [1, response]);
    assert.deepEqual(
      (await store.readAttempts('resp_a'))[0]?.reattachments?.map(({ reason }) => reason),
      ['worker_shutdown'],
    );
  });

  contract(
    'an answer that was passed on, and that no worker has read on, is found by those who have none: they end its turn',
    async (store) => {
      await inserted(store, newTurn('resp_a'));
      await inserted(store, newTurn('resp_b'));
      const { epoch } = await claimed(store, 'resp_a');
      await store.bookKeptResponse({ ...key, epoch, response });
      await store.append({ turn: 'resp_a', epoch, rows: [row(3)], starts: key });
      // Of another one nothing is shown: it waits for a worker, as any request that is due.
      const other = await claimed(store, 'resp_b');
      await store.bookKeptResponse({ ...key, turn: 'resp_b', epoch: other.epoch, response });
      await store.passOn({ ...key, epoch });
      await store.passOn({ ...key, turn: 'resp_b', epoch: other.epoch });
      using clock = setClock();
      const listed = async (hasWorker: boolean) => store.listExpiredLeases({ limit: 9, hasWorker, keptForMs: 30_000 });
      clock.move(20_000);
      assert.deepEqual([await listed(true), await listed(false)], [[], []]);
      clock.move(40_000);
      assert.deepEqual(await listed(true), []);
      assert.deepEqual(await listed(false), [
        { turn: 'resp_a', tenant: 'default', step: 1, epoch, isCancelRequested: false, hasStarted: true, isKept: false },
      ]);
      assert.notEqual((await store.fence('resp_a', { epoch }))?.epoch, undefined);
    },
  );

  contract('T5 · an answer that was to be cancelled is not read on; whoever ends its turn is told what to stop', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a', { lease: expiredLease });
    await store.bookKeptResponse({ ...key, epoch, response });
    await store.append({ turn: 'resp_a', epoch, rows: [row(3)], starts: key });
    await store.requestCancel('default', 'resp_a', 5);
    assert.equal((await store.claim({ turn: 'resp_a', step: 1, lease })).type, 'started');
    const fence = await store.fence('resp_a');
    const sealed = await store.seal(sealOf('resp_a', fence.epoch, { rows: [row(4)], winsOverCancel: true }));
    assert.deepEqual([sealed.type, sealed.type === 'sealed' && sealed.stops], ['sealed', ['resp_p']]);
  });

  contract('an attempt that ends its turn itself stops its answer itself, if it has to', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    await store.bookKeptResponse({ ...key, epoch, response });
    const end = { endedAtMs: 9, outcome: 'completed' } as const;
    const sealed = await store.seal(sealOf('resp_a', epoch, { rows: [row(3)], attempt: { ...key, end } }));
    assert.deepEqual([sealed.type, sealed.type === 'sealed' && sealed.stops], ['sealed', undefined]);
  });

  contract('a lease says whether its answer is kept, for as long as somebody may read it on', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a', { lease: expiredLease });
    await store.append({ turn: 'resp_a', epoch, rows: [row(3)], starts: key });
    const listed = async (hasWorker: boolean) =>
      (await store.listExpiredLeases({ limit: 9, hasWorker, keptForMs: hasWorker ? 60_000 : 30_000 })).map(({ hasStarted, isKept }) => [
        hasStarted,
        isKept,
      ]);
    assert.deepEqual([await listed(true), await listed(false)], [[[true, false]], [[true, false]]]);
    await store.bookKeptResponse({ ...key, epoch, response });
    assert.deepEqual([await listed(true), await listed(false)], [[[true, true]], []]);
    using clock = setClock();
    clock.move(40_000);
    assert.deepEqual([await listed(true), await listed(false)], [[[true, true]], [[true, false]]]);
  });

  contract('so many reattachments are noted, and no more', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    await store.bookKeptResponse({ ...key, epoch, response });
    for (let after = 0; after <= mostReattachments; after += 1) {
      await store.noteReattachment({ ...key, epoch, reattachment: { atMs: 9, after, reason: 'ECONNRESET' } });
    }
    const noted = (await store.readAttempts('resp_a'))[0]?.reattachments ?? [];
    assert.deepEqual([noted.length, noted[0]], [mostReattachments, { atMs: 9, after: 0, reason: 'ECONNRESET' }]);
  });
}
