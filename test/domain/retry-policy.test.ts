import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureRules } from '../../src/domain/failure.ts';
import { busyWaitMs, delayBeforeMs } from '../../src/domain/turn/retry-policy.ts';

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
