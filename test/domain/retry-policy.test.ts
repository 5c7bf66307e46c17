import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureRules } from '../../src/domain/failure.ts';
import { busyWaitMs, decideRetry, delayBeforeMs, type RetryDecision, type RetryFacts } from '../../src/domain/turn/retry-policy.ts';

test('T3 · three attempts, after 1 s and then 2 s', () => {
  assert.deepEqual([1, 2, 3].map(delayBeforeMs), [0, 1_000, 2_000]);
});

test('T3 · a closed table: only a request that could not be started is retryable', () => {
  const retryable = Object.entries(failureRules).filter(([, rule]) => rule.retryable);
  assert.deepEqual(
    retryable.map(([code]) => code),
    ['transport_failed'],
  );
});

test('T4 · a busy provider is asked again as it says, at most 60 s later, and never a fourth time', () => {
  const table: [Parameters<typeof busyWaitMs>, number | undefined][] = [
    [[{}, 1], 1_000],
    [[{}, 2], 2_000],
    [[{}, 3], undefined],
    [[{ retryAfterMs: 0 }, 1], 0],
    [[{ retryAfterMs: 60_000 }, 2], 60_000],
    [[{ retryAfterMs: 60_001 }, 1], undefined],
    [[{ retryAfterMs: 5, final: true }, 1], undefined],
    [[{ retryAfterMs: 5 }, 3], undefined],
  ];
  for (const [args, expected] of table) assert.equal(busyWaitMs(...args), expected, JSON.stringify(args));
});

test('whether another request follows, and why: what has started is never asked again, whatever its failure (T2)', () => {
  const first: RetryFacts = { hasStarted: false, requestsMade: 1, timeLeftMs: 60_000 };
  const table: [Parameters<typeof decideRetry>[0], Partial<RetryFacts>, RetryDecision][] = [
    [{ code: 'transport_failed' }, {}, { reason: 'retry_delay', waitMs: 1_000 }],
    [{ code: 'transport_failed' }, { requestsMade: 2 }, { reason: 'retry_delay', waitMs: 2_000 }],
    [{ code: 'transport_failed' }, { requestsMade: 3 }, { reason: 'requests_spent' }],
    [{ code: 'transport_failed' }, { hasStarted: true }, { reason: 'started' }],
    [{ code: 'provider_rejected' }, {}, { reason: 'not_retryable' }],
    [{ code: 'stream_interrupted' }, { hasStarted: true }, { reason: 'started' }],
    [{ code: 'provider_busy', busy: {} }, {}, { reason: 'retry_delay', waitMs: 1_000 }],
    [{ code: 'provider_busy', busy: { retryAfterMs: 7_000 } }, {}, { reason: 'retry_after', waitMs: 7_000 }],
    [{ code: 'provider_busy', busy: { retryAfterMs: 7_000 } }, { timeLeftMs: 6_999 }, { reason: 'turn_over' }],
    [{ code: 'provider_busy', busy: { retryAfterMs: 60_001 } }, {}, { reason: 'wait_too_long' }],
    [{ code: 'provider_busy', busy: { retryAfterMs: 1, final: true } }, {}, { reason: 'provider_refuses' }],
    [{ code: 'provider_busy', busy: {} }, { requestsMade: 3 }, { reason: 'requests_spent' }],
    [{ code: 'provider_busy', busy: {} }, { hasStarted: true }, { reason: 'started' }],
  ];
  for (const [failure, facts, expected] of table)
    assert.deepEqual(decideRetry(failure, { ...first, ...facts }), expected, JSON.stringify([failure, facts]));
});
