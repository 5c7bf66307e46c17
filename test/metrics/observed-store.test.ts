/** What is counted, and what is reported of a turn's end: with the real store, claim by claim. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '../../src/domain/failure.ts';
import type { EndedTurn } from '../../src/metrics/observed-store.ts';
import type { Seal } from '../../src/store/ports/store.ts';
import { claimed, expiredLease, lease, newTurn, sealOf, settle } from '../store/contract.ts';
import { reported, row, setUp } from './observed.ts';

function completed(turn: string, epoch: number, attempt: number): Seal {
  return sealOf(turn, epoch, { attempt: { turn, step: 1, attempt, end: { endedAtMs: 9_000, outcome: 'completed' } } });
}

/** All but how long it took, which is not less than nothing. */
function facts(ended: readonly EndedTurn[]): object[] {
  return ended.map(({ durationMs, ...turn }) => {
    assert.ok(durationMs >= 0);
    return turn;
  });
}

test('a turn that fails once and then completes is counted once, its attempts by outcome, its first token once', async (context) => {
  const { store, ended, series } = setUp(context);
  await store.createSession({ id: 'conv_a', tenant: 'me', metadata: {}, createdAtMs: 1 });
  for (const id of ['resp_a', 'resp_again']) {
    await store.insertTurn(newTurn(id, { session: 'conv_a', tenant: 'me', idempotencyKey: 'k' }));
  }
  const { attempt, epoch } = await claimed(store, 'resp_a');
  const end = { endedAtMs: 3_000, outcome: 'failed', code: 'transport_failed' } as const;
  await store.endAttempt({ turn: 'resp_a', step: 1, attempt }, epoch, end);
  const second = await claimed(store, 'resp_a');
  const starts = { turn: 'resp_a', step: 1, attempt: second.attempt };
  assert.equal(await store.append({ turn: 'resp_a', epoch: second.epoch, rows: [row(3)], starts }), true);
  assert.equal(await store.append({ turn: 'resp_a', epoch: second.epoch, rows: [row(4)] }), true);
  assert.equal((await store.seal(completed('resp_a', second.epoch, second.attempt))).type, 'sealed');
  const again = await store.seal(completed('resp_a', second.epoch, second.attempt));
  assert.equal(again.type, 'refused', 'T6 · a second end is refused, and not counted');
  await reported();
  assert.deepEqual(await series('turnkeep_turns_accepted_total'), { '': 1 });
  assert.deepEqual(await series('turnkeep_turns_total'), { '{status="completed",code=""}': 1 });
  assert.deepEqual(await series('turnkeep_attempts_total'), {
    '{outcome="failed",code="transport_failed"}': 1,
    '{outcome="completed",code=""}': 1,
  });
  assert.deepEqual(await series('turnkeep_retries_total'), {});
  const labels = '{model="scripted",outcome="completed"}';
  assert.deepEqual(await series('turnkeep_first_token_seconds_count'), { [labels]: 1 });
  assert.deepEqual(await series('turnkeep_turn_duration_seconds_count'), { [labels]: 1 });
  assert.deepEqual(facts(ended), [
    {
      responseId: 'resp_a',
      conversationId: 'conv_a',
      workflowId: 'turn/resp_a',
      tenant: 'me',
      status: 'completed',
      code: null,
      model: 'scripted',
      requests: 2,
      tokens: null,
    },
  ]);
});

test('attempts of dead workers are counted as lost by whoever finds them', async (context) => {
  const { store, ended, series } = setUp(context);
  await store.insertTurn(newTurn('resp_a'));
  for (let attempt = 1; attempt <= 3; attempt += 1) await claimed(store, 'resp_a', { lease: expiredLease });
  assert.equal((await store.claim({ turn: 'resp_a', step: 1, lease })).type, 'exhausted');
  await reported();
  assert.deepEqual(await series('turnkeep_attempts_total'), { '{outcome="lost",code=""}': 2 }, 'the third may come to an end yet');
  await store.insertTurn(newTurn('resp_b'));
  await claimed(store, 'resp_b');
  await settle(store, 'resp_b', { status: 'failed', failure: failureOf('turn_timeout') });
  await reported();
  assert.deepEqual(await series('turnkeep_attempts_total'), { '{outcome="lost",code=""}': 3 });
  assert.deepEqual(await series('turnkeep_turns_total'), { '{status="failed",code="turn_timeout"}': 1 });
  assert.deepEqual(
    ended.map(({ responseId, status, code }) => [responseId, status, code]),
    [['resp_b', 'failed', 'turn_timeout']],
  );
});

test('a turn that was never claimed here is reported with what the database knows of it', async (context) => {
  const { store, ended } = setUp(context);
  await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  await store.insertTurn(newTurn('resp_a', { session: 'conv_a' }));
  await settle(store, 'resp_a');
  await reported();
  assert.deepEqual(facts(ended), [
    {
      responseId: 'resp_a',
      conversationId: 'conv_a',
      workflowId: 'turn/resp_a',
      tenant: 'default',
      status: 'cancelled',
      code: null,
      model: 'scripted',
      requests: 0,
      tokens: null,
    },
  ]);
});

test('running and waiting turns, viewers and how far the slowest is behind', async (context) => {
  const { store, series } = setUp(context);
  await store.insertTurn(newTurn('resp_a'));
  await store.insertTurn(newTurn('resp_b'));
  const { epoch } = await claimed(store, 'resp_a');
  assert.deepEqual(await series('turnkeep_running_turns'), { '': 1 });
  assert.deepEqual(await series('turnkeep_waiting_turns'), { '': 1 });
  // How old they are nobody can say; that they are, the contract of the store does.
  for (const name of ['turnkeep_oldest_waiting_turn_seconds', 'turnkeep_oldest_lease_seconds']) {
    for (const seconds of Object.values(await series(name))) assert.ok(seconds >= 0);
  }
  assert.deepEqual(await series('turnkeep_viewers'), {});

  const leave = new AbortController();
  const slow = store.follow('resp_a', -1, leave.signal)[Symbol.asyncIterator]();
  const quick = store.follow('resp_a', -1, leave.signal)[Symbol.asyncIterator]();
  const late = store.follow('resp_a', 500, leave.signal)[Symbol.asyncIterator]();
  const ends: Promise<unknown>[] = [store.untilSealed('resp_a', leave.signal), late.next()];
  assert.equal((await slow.next()).value?.length, 3);
  assert.equal((await quick.next()).value?.length, 3);
  // What was handed out and not asked beyond still waits for a socket.
  assert.deepEqual(await series('turnkeep_journal_lag_events'), { '': 3 });
  ends.push(quick.next());
  await store.append({ turn: 'resp_a', epoch, rows: [row(3), row(4), row(5)] });
  assert.deepEqual(await series('turnkeep_viewers'), { '': 3 });
  assert.deepEqual(await series('turnkeep_journal_lag_events'), { '': 6 });
  assert.equal((await slow.next()).value?.length, 3);
  ends.push(slow.next(), quick.next());
  assert.deepEqual(await series('turnkeep_journal_lag_events'), {});
  leave.abort();
  await Promise.all(ends);
  assert.deepEqual(await series('turnkeep_viewers'), {});
});

test('a viewer that breaks off is no viewer any more', async (context) => {
  const { store, series } = setUp(context);
  await store.insertTurn(newTurn('resp_a'));
  for await (const rows of store.follow('resp_a', -1, new AbortController().signal)) {
    assert.equal(rows.length, 2);
    assert.deepEqual(await series('turnkeep_viewers'), { '': 1 });
    break;
  }
  assert.deepEqual(await series('turnkeep_viewers'), {});
});

test('a database that cannot be asked gives NaN, and the rest', async (context) => {
  const { store, series } = setUp(context);
  await store.insertTurn(newTurn('resp_a'));
  await store.close();
  assert.deepEqual(await series('turnkeep_turns_accepted_total'), { '': 1 });
  for (const name of ['running_turns', 'waiting_turns', 'oldest_waiting_turn_seconds', 'oldest_lease_seconds']) {
    assert.deepEqual(await series(`turnkeep_${name}`), { '': Number.NaN });
  }
});
