import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClaimDecision, type ClaimFacts, decideClaim } from '../../src/domain/claim.ts';
import type { TurnRow } from '../../src/domain/turn.ts';
import { lazily, turnRow } from '../support/turn-row.ts';

const failed = turnRow({ status: 'failed', errorCode: 'worker_lost', settledAtMs: 9 });
const running = turnRow({ status: 'in_progress' });
const beingCancelled = turnRow({ cancelRequestedAtMs: 5 });

const cases: readonly [title: string, turn: TurnRow, hasStarted: boolean, requestsMade: number, expected: ClaimDecision][] = [
  ['the first request of a step is granted', turnRow(), false, 0, { type: 'granted', attempt: 1 }],
  ['T3 · so are the second, to whoever comes', running, false, 1, { type: 'granted', attempt: 2 }],
  ['T3 · and the third', running, false, 2, { type: 'granted', attempt: 3 }],
  ['T3 · a fourth is not', running, false, 3, { type: 'exhausted' }],
  ['T2 · a step that has started is never asked again', running, true, 1, { type: 'started' }],
  ['T2 · nor after its last request', running, true, 3, { type: 'started' }],
  ['T2 · nor to carry out a cancel', { ...running, cancelRequestedAtMs: 5 }, true, 1, { type: 'started' }],
  ['T5 · after an accepted cancel no request is sent', beingCancelled, false, 0, { type: 'cancelled' }],
  ['T5 · an accepted cancel wins over spent requests', beingCancelled, false, 3, { type: 'cancelled' }],
  ['T6 · a turn with an end keeps it', failed, true, 3, { type: 'settled', settled: { status: 'failed', code: 'worker_lost' } }],
  [
    'T6 · however it ended',
    turnRow({ status: 'completed', cancelRequestedAtMs: 5 }),
    false,
    0,
    { type: 'settled', settled: { status: 'completed', code: null } },
  ],
];

for (const [title, turn, hasStarted, requestsMade, expected] of cases) {
  test(title, () => {
    assert.deepEqual(decideClaim({ turn, hasStarted, requestsMade }), expected);
  });
}

test('facts are looked at in their order, each once, and none behind the one that decides', () => {
  const looked = (facts: ClaimFacts): readonly string[] => {
    const lazy = lazily(facts);
    decideClaim(lazy.facts);
    return lazy.seen;
  };
  assert.deepEqual(looked({ turn: running, hasStarted: false, requestsMade: 1 }), ['turn', 'hasStarted', 'requestsMade']);
  assert.deepEqual(looked({ turn: running, hasStarted: true, requestsMade: 1 }), ['turn', 'hasStarted']);
  assert.deepEqual(looked({ turn: beingCancelled, hasStarted: false, requestsMade: 1 }), ['turn', 'hasStarted']);
  assert.deepEqual(looked({ turn: failed, hasStarted: false, requestsMade: 1 }), ['turn']);
});
