/** What every driver of the store must do: who may write a turn, and for how long without being heard of. */
import assert from 'node:assert/strict';
import type { Store } from '../../src/store/ports/store.ts';
import { setClock } from './clock.ts';
import { journalRowOf } from '../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { endOfRefusal } from '../../src/domain/turn/claim.ts';
import { claimed, type Contract, expiredLease, inserted, lease, newTurn, row, sealOf, settle } from './contract.ts';

async function expired(store: Store, limit = 9): Promise<readonly string[]> {
  return (await store.listExpiredLeases({ limit, hasWorker: true })).map(({ turn }) => turn);
}

export function leasesContract(contract: Contract): void {
  contract(
    'T8 · an answer that begins behind the look that found its requests spent ends as lost, and not as never begun',
    async (store) => {
      await inserted(store, newTurn('resp_a'));
      const ids = [];
      for (let attempt = 1; attempt <= 3; attempt += 1) ids.push(await claimed(store, 'resp_a', { lease: expiredLease }));
      assert.equal((await store.claim({ turn: 'resp_a', step: 1, lease })).type, 'exhausted');
      const { epoch = 0, attempt = 0, events = [] } = ids.at(-1) ?? {};
      const starts = { turn: 'resp_a', step: 1, attempt };
      const rows = ResponseStream.replay(events).write({ type: 'text', text: 'It begins' }).map(journalRowOf);
      assert.equal(await store.append({ turn: 'resp_a', epoch, rows, starts }), true);
      assert.deepEqual(await settle(store, 'resp_a', endOfRefusal('exhausted')), { status: 'failed', code: 'worker_lost' });
    },
  );

  contract(
    'T2 · while the lease of an attempt lives, nobody else may ask: not in its own process, and not in another',
    async (store, database) => {
      await inserted(store, newTurn('resp_a'));
      await claimed(store, 'resp_a');
      const other = database.open();
      for (const each of [store, other]) {
        const claim = await each.claim({ turn: 'resp_a', step: 1, lease: { holder: 'there', lengthMs: 60_000 } });
        assert.equal(claim.type, 'held');
        assert.ok(claim.type === 'held' && claim.leaseLeftMs > 0 && claim.leaseLeftMs <= lease.lengthMs);
      }
      assert.deepEqual([(await other.readAttempts('resp_a')).length, (await other.readHead('resp_a'))?.lease], [1, 'live']);
    },
  );

  contract(
    'a lease that has run out is taken over, with a higher epoch: what its attempt had not ended is lost',
    async (store, database) => {
      await inserted(store, newTurn('resp_a'));
      const dead = await claimed(store, 'resp_a', { lease: expiredLease });
      assert.equal((await store.readHead('resp_a'))?.lease, 'expired');
      const heir = await claimed(database.open(), 'resp_a');
      assert.deepEqual([dead.lostAttempts, heir.lostAttempts, heir.attempt, heir.epoch > dead.epoch], [0, 1, 2, true]);
      assert.deepEqual(
        (await store.readAttempts('resp_a')).map(({ outcome }) => outcome),
        ['lost', undefined],
      );
    },
  );

  contract(
    'the first claim of a turn tells its viewers that it runs, in the same commit; the later ones say nothing',
    async (store, database) => {
      const queued = await inserted(store, newTurn('resp_a'));
      const other = database.open();
      const seen: string[] = [];
      const leave = new AbortController();
      const following = (async () => {
        for await (const rows of other.follow('resp_a', -1, leave.signal)) seen.push(...rows.map(({ type }) => type));
      })();
      const first = await claimed(store, 'resp_a', { lease: expiredLease, run: { workflowId: 'mine', runId: 'run 1' } });
      assert.deepEqual(first.turn, queued, 'as it stood before');
      const types = ['response.created', 'response.queued', 'response.in_progress'];
      assert.deepEqual(
        first.events?.map(({ type }) => type),
        types,
      );
      assert.ok(first.readySinceMs >= 0 && first.readySinceMs < 60_000);
      const now = await other.readTurn('resp_a');
      assert.deepEqual([now?.status, now?.workflowId, now?.runId], ['in_progress', 'mine', 'run 1']);
      const second = await claimed(store, 'resp_a');
      assert.deepEqual(
        second.events?.map(({ type }) => type),
        types,
      );
      assert.equal((await other.readTurn('resp_a'))?.runId, 'run 1', 'no workflow asked this time');
      await settle(store, 'resp_a');
      await following;
      assert.deepEqual(seen, [...types, 'response.incomplete']);
    },
  );

  contract('T3 · behind an attempt that said how long to wait, a claim is not due before that', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    const first = await claimed(store, 'resp_a');
    const end = { outcome: 'failed', code: 'transport_failed' } as const;
    await store.endAttempt({ turn: 'resp_a', step: 1, attempt: 1 }, first.epoch, { ...end, endedAtMs: Date.now(), waitMs: 60_000 });
    const claim = await database.open().claim({ turn: 'resp_a', step: 1, lease });
    assert.equal(claim.type, 'not_due');
    assert.ok(claim.type === 'not_due' && claim.waitLeftMs > 0 && claim.waitLeftMs <= 60_000);

    await inserted(store, newTurn('resp_b'));
    const other = await claimed(store, 'resp_b');
    await store.endAttempt({ turn: 'resp_b', step: 1, attempt: 1 }, other.epoch, { ...end, endedAtMs: Date.now() - 1_000, waitMs: 1_000 });
    const second = await claimed(store, 'resp_b');
    assert.deepEqual([second.attempt, second.lostAttempts], [2, 0]);
  });

  contract('an attempt ends once, and its lease with it; that of a later attempt goes on', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch: dead } = await claimed(store, 'resp_a', { lease: expiredLease });
    const { epoch } = await claimed(store, 'resp_a');
    const key = { turn: 'resp_a', step: 1 };
    await store.endAttempt({ ...key, attempt: 1 }, dead, { endedAtMs: 9, outcome: 'failed' });
    assert.equal((await store.readHead('resp_a'))?.lease, 'live');
    assert.equal((await store.readAttempts('resp_a'))[0]?.outcome, 'lost', 'it had its end');
    await store.endAttempt({ ...key, attempt: 2 }, epoch, {
      endedAtMs: 9,
      outcome: 'failed',
      code: 'transport_failed',
      detail: 'ECONNRESET',
    });
    await store.endAttempt({ ...key, attempt: 2 }, epoch, { endedAtMs: 10, outcome: 'cancelled' });
    const last = (await store.readAttempts('resp_a'))[1];
    assert.deepEqual([last?.outcome, last?.code, last?.detail, last?.endedAtMs], ['failed', 'transport_failed', 'ECONNRESET', 9]);
    assert.equal((await store.readHead('resp_a'))?.lease, 'none');
    assert.deepEqual(await expired(store), []);
    await store.endAttempt({ turn: 'resp_nobody', step: 1, attempt: 1 }, 1, { endedAtMs: 9, outcome: 'failed' });
  });

  contract(
    'one beat renews the leases of a process, also those that have run out and nobody took, and no other',
    async (store, database) => {
      const mine = { holder: 'dead', lengthMs: 60_000 };
      for (const id of ['resp_a', 'resp_b', 'resp_c', 'resp_d']) await inserted(store, newTurn(id));
      for (const id of ['resp_a', 'resp_b', 'resp_c']) await claimed(store, id, { lease: expiredLease });
      await claimed(store, 'resp_c');
      await claimed(store, 'resp_d', { lease: { holder: 'there', lengthMs: -1 } });
      const other = database.open();
      assert.deepEqual([...(await expired(other))].toSorted(), ['resp_a', 'resp_b', 'resp_d']);
      const pulses = await store.beat({ lease: mine, turns: ['resp_a', 'resp_b', 'resp_c', 'resp_d', 'resp_nobody'] });
      assert.deepEqual(
        pulses.map(({ turn, epoch }) => [turn, epoch]),
        [
          ['resp_a', 1],
          ['resp_b', 1],
          ['resp_c', 2],
          ['resp_d', 1],
        ],
        'the epoch says who has been taken over, and a turn that is gone is left out',
      );
      assert.deepEqual(await expired(other), ['resp_d']);
      assert.equal((await other.readHead('resp_a'))?.lease, 'live');
    },
  );

  contract('T5 · a beat tells of cancels, of what the user has said more, and of ends', async (store, database) => {
    const other = database.open();
    for (const id of ['resp_a', 'resp_b', 'resp_c']) await inserted(store, newTurn(id));
    const { epoch } = await claimed(store, 'resp_a');
    await claimed(store, 'resp_b');
    await claimed(store, 'resp_c');
    await other.requestCancel('default', 'resp_b', 5);
    await settle(other, 'resp_c');
    for (const id of ['resp_a', 'resp_c', 'resp_none']) await other.requestSteer(id);
    const beat = { lease, turns: ['resp_a', 'resp_b', 'resp_c'] };
    assert.deepEqual(await store.beat(beat), [
      { turn: 'resp_a', epoch, isSealed: false, isCancelRequested: false, isSteerRequested: true },
      { turn: 'resp_b', epoch: 1, isSealed: false, isCancelRequested: true, isSteerRequested: false },
      { turn: 'resp_c', epoch: 2, isSealed: true, isCancelRequested: false, isSteerRequested: false },
    ]);
    assert.deepEqual(await store.beat({ lease, turns: [] }), []);
    assert.equal((await store.readHead('resp_c'))?.lease, 'none', 'an end has no lease to be renewed');
  });

  contract('leases that have run out are found, the oldest first, with what is to be known of their attempts', async (store) => {
    for (const id of ['resp_a', 'resp_b', 'resp_c', 'resp_d', 'resp_e', 'resp_f']) await inserted(store, newTurn(id));
    const runOut = (lengthMs: number) => ({ lease: { holder: 'dead', lengthMs } });
    const started = await claimed(store, 'resp_a', runOut(-20_000));
    const starts = { turn: 'resp_a', step: 1, attempt: started.attempt };
    assert.equal(await store.append({ turn: 'resp_a', epoch: started.epoch, rows: [row(3)], starts }), true);
    await claimed(store, 'resp_b', runOut(-60_000));
    await store.requestCancel('default', 'resp_b', 5);
    await claimed(store, 'resp_c');
    const { epoch } = await claimed(store, 'resp_d', runOut(-1));
    await store.seal(sealOf('resp_d', epoch));
    await claimed(store, 'resp_e', runOut(-1_000));
    await store.fence('resp_e');
    assert.deepEqual(await store.listExpiredLeases({ limit: 9, hasWorker: true }), [
      { turn: 'resp_b', tenant: 'default', step: 1, epoch: 1, hasStarted: false, isCancelRequested: true, isKept: false },
      { turn: 'resp_a', tenant: 'default', step: 1, epoch: 1, hasStarted: true, isCancelRequested: false, isKept: false },
      { turn: 'resp_e', tenant: 'default', step: 1, epoch: 2, hasStarted: false, isCancelRequested: false, isKept: false },
    ]);
    assert.deepEqual(await expired(store, 1), ['resp_b']);
  });

  contract('requests that are due and not claimed are found, those due first before others', async (store) => {
    // At this very millisecond too.
    const overdue = async (limit = 9) => store.listOverdue({ dueForMs: -1, limit });
    const ended = async (id: string, endedAtMs: number, waitMs?: number) => {
      const { epoch } = await claimed(store, id);
      const wait = waitMs === undefined ? {} : { waitMs };
      await store.endAttempt({ turn: id, step: 1, attempt: 1 }, epoch, { endedAtMs, outcome: 'failed', ...wait });
    };
    const ids = ['resp_a', 'resp_b', 'resp_c', 'resp_d', 'resp_e', 'resp_f'];
    for (const id of ids) await inserted(store, newTurn(id));
    assert.deepEqual(await overdue(), [], 'Temporal has none of them');
    // Claimed before Temporal's answer, as a head start is.
    await claimed(store, 'resp_a');
    await store.markDispatched(ids.map((turn) => ({ turn, runId: 'run' })));
    await ended('resp_b', Date.now() - 2_000, 1_000);
    await ended('resp_c', Date.now() - 600_000, 1_000);
    await ended('resp_d', Date.now(), 60_000);
    await ended('resp_e', Date.now() - 5_000);
    const common = { tenant: 'default', step: 1, isCancelRequested: false };
    const [c, b, f] = [
      { turn: 'resp_c', epoch: 1, ...common },
      { turn: 'resp_b', epoch: 1, ...common },
      { turn: 'resp_f', epoch: 0, ...common },
    ];
    assert.deepEqual(await overdue(), [c, b, f]);
    assert.deepEqual(await overdue(1), [c]);
    assert.deepEqual(await store.listOverdue({ dueForMs: 300_000, limit: 9 }), [c]);
    await claimed(store, 'resp_c');
    await settle(store, 'resp_b');
    // Again, of turns that are claimed, or have their end.
    await store.markDispatched(['resp_a', 'resp_b', 'resp_c'].map((turn) => ({ turn, runId: 'run' })));
    assert.deepEqual(await overdue(), [f]);
    // Whoever fenced it died before the seal.
    await store.fence('resp_f');
    await store.requestCancel('default', 'resp_f', 9);
    assert.deepEqual(await overdue(), [{ ...f, epoch: 1, isCancelRequested: true }]);
  });

  contract('a request that was due before the clock was set back is due all the same', async (store) => {
    using clock = setClock();
    await inserted(store, newTurn('resp_a'));
    clock.move(3_600_000);
    await store.markDispatched([{ turn: 'resp_a', runId: 'run' }]);
    clock.move(-3_600_000);
    assert.deepEqual(
      (await store.listOverdue({ dueForMs: 1_000, limit: 9 })).map(({ turn }) => turn),
      ['resp_a'],
    );
  });

  contract(
    'a clock that is set back keeps no dead lease: from then on it has its length left, and who lives renews theirs',
    async (store) => {
      using clock = setClock();
      const length = { lengthMs: 8_000 };
      for (const id of ['resp_a', 'resp_b', 'resp_c']) await inserted(store, newTurn(id));
      await claimed(store, 'resp_a', { lease: { holder: 'dead', ...length } });
      await claimed(store, 'resp_b', { lease: { holder: 'alive', ...length } });
      await claimed(store, 'resp_c', { lease: { holder: 'dead', ...length } });
      await store.fence('resp_c');
      clock.move(-3_600_000);
      assert.deepEqual(await expired(store), []);
      const beat = { lease: { holder: 'alive', ...length }, turns: ['resp_b'] };
      await store.beat(beat);
      const claim = { turn: 'resp_a', step: 1, lease };
      assert.deepEqual(await store.claim(claim), { type: 'held', leaseLeftMs: 8_000 });
      clock.move(1);
      assert.deepEqual(await expired(store), ['resp_c'], 'a fenced turn has no lease left');
      clock.move(8_000);
      await store.beat(beat);
      assert.deepEqual((await expired(store)).toSorted(), ['resp_a', 'resp_c']);
      assert.equal((await store.claim(claim)).type, 'granted');
    },
  );

  contract(
    'T3 · a clock that is set back behind a failed attempt does not hold up the next one until it is again where it was',
    async (store) => {
      using clock = setClock();
      await inserted(store, newTurn('resp_a'));
      const first = await claimed(store, 'resp_a');
      const end = { outcome: 'failed', code: 'transport_failed', endedAtMs: Date.now(), waitMs: 60_000 } as const;
      await store.endAttempt({ turn: 'resp_a', step: 1, attempt: 1 }, first.epoch, end);
      assert.deepEqual(await store.claim({ turn: 'resp_a', step: 1, lease }), { type: 'not_due', waitLeftMs: 60_000 });
      clock.move(-3_600_000);
      assert.equal((await store.claim({ turn: 'resp_a', step: 1, lease })).type, 'granted');
    },
  );

  contract('T7 · a fence ends the lease and refuses who held it', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    const other = database.open();
    const fence = await other.fence('resp_a');
    assert.deepEqual(fence, { epoch: epoch + 1 });
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(3)] }), false);
    assert.deepEqual(await store.seal(sealOf('resp_a', epoch)), { type: 'refused' });
    assert.deepEqual(
      (await store.beat({ lease, turns: ['resp_a'] })).map((pulse) => pulse.epoch),
      [epoch + 1],
    );
    assert.equal((await store.readHead('resp_a'))?.lease, 'expired', 'a beat brings no lease back');
    assert.equal((await other.seal(sealOf('resp_a', fence.epoch))).type, 'sealed');
  });

  contract('T6 · of those who fence a turn at the same time none refuses another: the first seal is its end', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    await claimed(store, 'resp_a', { lease: expiredLease });
    const other = database.open();
    const [first, second] = [await store.fence('resp_a'), await other.fence('resp_a')];
    assert.equal((await store.seal(sealOf('resp_a', first.epoch))).type, 'sealed');
    assert.deepEqual(await other.seal(sealOf('resp_a', second.epoch)), { type: 'refused' });
  });

  contract('T7 · a claim behind a fence refuses whoever fenced, and the next fence refuses that claim', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const fence = await store.fence('resp_a');
    const heir = await claimed(store, 'resp_a');
    assert.deepEqual(await store.seal(sealOf('resp_a', fence.epoch)), { type: 'refused' });
    const again = await store.fence('resp_a');
    assert.equal(await store.append({ turn: 'resp_a', epoch: heir.epoch, rows: [row(3)] }), false);
    assert.equal((await store.seal(sealOf('resp_a', again.epoch))).type, 'sealed');
  });

  contract('T6 · a fence without a seal leaves a lease that has run out: whoever fenced may be dead', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a', { lease: expiredLease });
    await store.fence('resp_a');
    assert.deepEqual(await store.beat({ lease: { ...expiredLease, lengthMs: 60_000 }, turns: ['resp_a'] }), [
      { turn: 'resp_a', epoch: epoch + 1, isSealed: false, isCancelRequested: false, isSteerRequested: false },
    ]);
    assert.deepEqual(await expired(store), ['resp_a'], 'and a beat of the fenced attempt does not renew it');
  });

  contract('T9 · who was taken for dead, and has renewed its lease since, is not fenced', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a', { lease: { ...lease, lengthMs: -1 } });
    assert.deepEqual(await expired(store), ['resp_a']);
    await store.beat({ lease, turns: ['resp_a'] });
    const other = database.open();
    assert.equal(await other.fence('resp_a', { epoch }), undefined);
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(3)] }), true);
  });

  contract('T9 · a fence of one who was taken for dead leaves alone whoever has the turn by now', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a', { lease: expiredLease });
    const heir = await claimed(store, 'resp_a', { lease: expiredLease });
    assert.equal(await store.fence('resp_a', { epoch }), undefined);
    assert.deepEqual(await store.fence('resp_a', { epoch: heir.epoch }), { epoch: heir.epoch + 1 });
  });
}
