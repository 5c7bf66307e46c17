/** What every driver of the store must do: the circuit breakers that are not closed. */
import assert from 'node:assert/strict';
import { probeMs } from '../../src/domain/turn/breaker.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { setClock } from './clock.ts';
import { claimed, type Contract, inserted, lease, newTurn } from './contract.ts';

const key = 'http://model.example/v1 scripted';
const failed = { key, detail: '503', isProbe: false };
const away = { waitMs: 5_000, isLasting: false };

const keys = async (store: Store): Promise<string[]> => (await store.readBreakers()).rows.map((row) => row.key);

export function breakersContract(contract: Contract): void {
  contract('a breaker that one process opens is open for all, and closed for all once one closes it', async (store, database) => {
    using clock = setClock();
    const other = database.open();
    assert.deepEqual((await other.readBreakers()).rows, []);
    const openedAtMs = Date.now();
    const row = { key, openedAtMs, trips: 1, untilMs: openedAtMs + 5_000, probeUntilMs: null, detail: '503' };
    assert.deepEqual(await store.tripBreaker(failed), row);
    clock.move(1_000);
    assert.deepEqual(await other.tripBreaker({ ...failed, detail: '529' }), row, 'it is open, and stays as it is');
    assert.deepEqual(await other.readBreakers(), { nowMs: openedAtMs + 1_000, rows: [row] });
    await store.tripBreaker({ ...failed, key: 'another' });
    await other.closeBreaker(key);
    assert.deepEqual(await keys(store), ['another']);
    await store.closeBreaker(key);
  });

  contract(
    'one request at a time is let through, once the wait is over, and one that fails makes the next wait longer',
    async (store, database) => {
      using clock = setClock();
      const other = database.open();
      assert.equal(await store.probeBreaker(key), false, 'it is closed');
      const { openedAtMs } = await store.tripBreaker(failed);
      assert.equal(await store.probeBreaker(key), false, 'its wait is not over');
      clock.move(5_000);
      assert.deepEqual((await Promise.all([store.probeBreaker(key), other.probeBreaker(key)])).toSorted(), [false, true]);
      assert.equal((await other.readBreakers()).rows[0]?.probeUntilMs, Date.now() + probeMs);
      const again = await store.tripBreaker({ ...failed, detail: 'ECONNREFUSED', isProbe: true });
      const untilMs = Date.now() + 10_000;
      assert.deepEqual(again, { key, openedAtMs, trips: 2, untilMs, probeUntilMs: null, detail: 'ECONNREFUSED' });
      assert.equal(await other.probeBreaker(key), false);
      clock.move(10_000);
      assert.equal(await other.probeBreaker(key), true);
      clock.move(probeMs);
      assert.equal(await store.probeBreaker(key), true, 'whoever had it is lost');
      const notBeforeMs = Date.now() + 25_000;
      assert.equal((await store.tripBreaker({ ...failed, key: `tenant=ann ${key}`, notBeforeMs })).untilMs, notBeforeMs);
      assert.deepEqual(await keys(other), [key, `tenant=ann ${key}`], "everybody's before those of tenants");
    },
  );

  contract('T4 · a request that its provider is not to get is not booked, and takes none of the three', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const request = { turn: 'resp_a', step: 1, lease };
    assert.deepEqual(await store.claim({ ...request, away }), { type: 'away', requestsMade: 0, ...away });
    assert.deepEqual(await store.readAttempts('resp_a'), []);
    assert.equal((await store.readHead('resp_a'))?.lease, 'none');
    const { epoch, attempt } = await claimed(store, 'resp_a');
    assert.equal(attempt, 1);
    await store.endAttempt({ turn: 'resp_a', step: 1, attempt }, epoch, {
      endedAtMs: Date.now(),
      outcome: 'failed',
      code: 'provider_busy',
      waitMs: 0,
    });
    assert.deepEqual(await store.claim({ ...request, away }), { type: 'away', requestsMade: 1, ...away });
    await store.requestCancel('default', 'resp_a', Date.now());
    assert.equal((await store.claim({ ...request, away })).type, 'cancelled', 'what ends the turn anyway waits for nobody');
  });
}
