/** Tokens, retries and times of turns, with the real store: each counted once, under a model that has answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { unknownUsage } from '../../src/domain/response/response.ts';
import { claimed, expiredLease, newTurn, sealOf } from '../store/contract.ts';
import { reported, row, setUp, setUpOn } from './observed.ts';

test('tokens and dollars are counted by model, those of a failed request as lost too, and retries by their reason', async (context) => {
  const { store, series } = setUp(context);
  const usage = (input: number, output: number) => ({
    ...unknownUsage,
    input_tokens: input,
    output_tokens: output,
    total_tokens: input + output,
  });
  const model = (name: string) => ({ settings: { ...defaultSettings(name) } });
  await store.insertTurn(newTurn('resp_a', model('good')));
  const first = await claimed(store, 'resp_a');
  const failed = {
    endedAtMs: 3_000,
    outcome: 'failed',
    code: 'provider_busy',
    waitMs: 1_000,
    usage: usage(7, 1),
    spent: { outputTokens: 1, costUsd: 0.5 },
  } as const;
  await store.endAttempt({ turn: 'resp_a', step: 1, attempt: first.attempt }, first.epoch, failed);
  const second = await claimed(store, 'resp_a');
  await store.endAttempt({ turn: 'resp_a', step: 1, attempt: second.attempt }, second.epoch, {
    endedAtMs: 3_500,
    outcome: 'lost',
    detail: 'worker shutdown',
    waitMs: 1,
  });
  const third = await claimed(store, 'resp_a');
  const key = { turn: 'resp_a', step: 1, attempt: third.attempt };
  await store.append({ turn: 'resp_a', epoch: third.epoch, rows: [row(3)], starts: key });
  const end = { endedAtMs: 9_000, outcome: 'completed', usage: usage(70, 30), spent: { outputTokens: 30, costUsd: 0.25 } } as const;
  await store.seal(sealOf('resp_a', third.epoch, { attempt: { ...key, end } }));
  await store.insertTurn(newTurn('resp_b', model('never answered')));
  await claimed(store, 'resp_b', { lease: expiredLease });
  const fourth = await claimed(store, 'resp_b');
  await store.seal(
    sealOf('resp_b', fourth.epoch, {
      settled: { status: 'failed', code: 'provider_rejected' },
      attempt: {
        turn: 'resp_b',
        step: 1,
        attempt: fourth.attempt,
        end: { ...end, outcome: 'failed', usage: usage(5, 0), spent: { outputTokens: 0, costUsd: 0 } },
      },
    }),
  );
  await reported();
  assert.deepEqual(await series('turnkeep_retries_total'), {
    '{reason="provider_busy"}': 1,
    '{reason="worker_shutdown"}': 1,
    '{reason="worker_lost"}': 1,
  });
  // What failed before the model had ever answered is not under its name.
  assert.deepEqual(await series('turnkeep_input_tokens_total'), { '{model="other"}': 12, '{model="good"}': 70 });
  assert.deepEqual(await series('turnkeep_output_tokens_total'), { '{model="other"}': 1, '{model="good"}': 30 });
  assert.deepEqual(await series('turnkeep_lost_tokens_total'), { '{model="other"}': 13 });
  assert.deepEqual(await series('turnkeep_cost_dollars_total'), { '{model="other"}': 0.5, '{model="good"}': 0.25 });
  assert.deepEqual(await series('turnkeep_lost_cost_dollars_total'), { '{model="other"}': 0.5 });
  assert.deepEqual(await series('turnkeep_turn_duration_seconds_count'), {
    '{model="good",outcome="completed"}': 1,
    '{model="other",outcome="failed"}': 1,
  });
});

test('a turn that showed something in a process that died has its first-token time from the database', async (context) => {
  const { inner, store: dying } = setUp(context);
  const { store, series } = setUpOn(inner);
  await dying.insertTurn(newTurn('resp_a'));
  const { attempt, epoch } = await claimed(dying, 'resp_a');
  await dying.append({ turn: 'resp_a', epoch, rows: [row(3)], starts: { turn: 'resp_a', step: 1, attempt } });
  await store.seal(sealOf('resp_a', epoch, { settled: { status: 'failed', code: 'worker_lost' } }));
  await reported();
  assert.deepEqual(await series('turnkeep_first_token_seconds_count'), { '{model="scripted",outcome="failed"}': 1 });
});
