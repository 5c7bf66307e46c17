import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide, evolve, initialTurn, type TurnResult, type TurnState } from '../../src/domain/turn-state.ts';
import { failureOf, failureRules } from '../../src/domain/failure.ts';
import { busyWaitMs, delayBeforeMs } from '../../src/domain/retry-policy.ts';

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

function course(...results: TurnResult[]): TurnState {
  return results.reduce(evolve, initialTurn);
}
const busy = (requestsMade: number): TurnResult => ({ type: 'busy', failure: failureOf('provider_busy'), hint: {}, requestsMade });

test('T4 · network failures and a busy provider share the three requests', () => {
  assert.deepEqual(decide(course({ type: 'recorded' })), { type: 'streamModel', requestsLeft: 3, requestsMade: 0 });
  const waiting = course({ type: 'recorded' }, busy(2));
  assert.deepEqual(decide(waiting), { type: 'wait', waitMs: 2_000 });
  assert.deepEqual(decide(evolve(waiting, { type: 'waited' })), { type: 'streamModel', requestsLeft: 1, requestsMade: 2 });
  assert.equal(decide(course({ type: 'recorded' }, busy(3))).type, 'settleTurn');
});

test('T6 · a turn that had its end before it ran is only closed', () => {
  const settled = { status: 'cancelled', code: null } as const;
  assert.deepEqual(decide(course({ type: 'recorded', settled })), { type: 'close', ...settled });
});

test('T3 · attempts lost on workers that never answered are scheduled again: the claim counts the requests', () => {
  assert.deepEqual(decide(course({ type: 'recorded' }, busy(1), { type: 'waited' }, { type: 'lost' })), {
    type: 'streamModel',
    requestsLeft: 2,
    requestsMade: 1,
  });
});
