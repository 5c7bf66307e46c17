import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '../../src/domain/failure.ts';
import { decide, evolve, turnAt, type TurnResult, type TurnState } from '../../src/domain/turn/turn-state.ts';

function course(...results: TurnResult[]): TurnState {
  return results.reduce(evolve, turnAt(1));
}
const busy = (requestsMade: number): TurnResult => ({ type: 'busy', failure: failureOf('provider_busy'), hint: {}, requestsMade });

test('T4 · network failures and a busy provider share the three requests', () => {
  assert.deepEqual(decide(turnAt(1)), { type: 'streamModel', step: 1, requestsLeft: 3, requestsMade: 0 });
  const waiting = course(busy(2));
  assert.deepEqual(decide(waiting), { type: 'wait', waitMs: 2_000 });
  assert.deepEqual(decide(evolve(waiting, { type: 'waited' })), { type: 'streamModel', step: 1, requestsLeft: 1, requestsMade: 2 });
  assert.equal(decide(course(busy(3))).type, 'settleTurn');
});

test('T6 · a step that ended has sealed its turn: it is only closed', () => {
  const turn = { status: 'failed', code: 'stream_interrupted' } as const;
  assert.deepEqual(decide(course({ type: 'stepEnded', step: { type: 'final', turn } })), { type: 'close', ...turn });
});

test('T5, T6 · what streamModel could not seal is settled, and closed with the end that the turn then has', () => {
  const failure = failureOf('turn_timeout');
  for (const [result, requested] of [
    [{ type: 'cancelled' }, { status: 'cancelled' }],
    [
      { type: 'failed', failure },
      { status: 'failed', failure },
    ],
  ] as const) {
    for (const before of [[], [busy(1)]]) {
      const ending = course(...before, result);
      assert.deepEqual(decide(ending), { type: 'settleTurn', requested });
      const settled = { status: 'completed', code: null } as const;
      assert.deepEqual(decide(evolve(ending, { type: 'settled', settled })), { type: 'close', ...settled });
    }
  }
});

test('T3 · attempts lost on workers that never answered are scheduled again: the claim counts the requests', () => {
  assert.deepEqual(decide(course(busy(1), { type: 'waited' }, { type: 'lost' })), {
    type: 'streamModel',
    step: 1,
    requestsLeft: 2,
    requestsMade: 1,
  });
  assert.deepEqual(decide(course({ type: 'lost' })), decide(turnAt(1)));
});
