import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClaimDecision, type ClaimFacts, decideClaim } from '../../src/domain/turn/claim.ts';
import { lazily, turnRow } from '../support/turn-row.ts';

const failed = turnRow({ status: 'failed', errorCode: 'worker_lost', settledAtMs: 9 });
const running = turnRow({ status: 'in_progress' });
const away = { waitMs: 5_000, isLasting: false };
const beingCancelled = turnRow({ cancelRequestedAtMs: 5 });
const runningAndCancelled = turnRow({ status: 'in_progress', cancelRequestedAtMs: 5 });

/** Nobody has asked for this step yet. */
const facts: ClaimFacts = {
  turn: turnRow(),
  leaseLeftMs: 0,
  isOver: false,
  isAhead: false,
  round: { open: 0, isLast: false },
  kept: undefined,
  hasStarted: false,
  requestsMade: 0,
  waitLeftMs: 0,
  away: undefined,
};

const kept = { attempt: 2, response: { id: 'resp_p', after: 2 } };

const cases: readonly [title: string, facts: Partial<ClaimFacts>, expected: ClaimDecision][] = [
  ['the first request of a step is granted', {}, { type: 'granted', attempt: 1 }],
  ['T3 · so are the second, to whoever comes', { turn: running, requestsMade: 1 }, { type: 'granted', attempt: 2 }],
  ['T3 · and the third', { turn: running, requestsMade: 2 }, { type: 'granted', attempt: 3 }],
  ['T3 · a fourth is not', { turn: running, requestsMade: 3 }, { type: 'exhausted' }],

  // The wait behind the last request.
  [
    'T3 · a request is not due before the wait is over',
    { turn: running, requestsMade: 1, waitLeftMs: 1 },
    { type: 'not_due', waitLeftMs: 1 },
  ],
  ['T3 · it is due once the wait is over', { turn: running, requestsMade: 1, waitLeftMs: -1 }, { type: 'granted', attempt: 2 }],
  ['T3 · as long as the longest wait it is waited for', { requestsMade: 1, waitLeftMs: 60_000 }, { type: 'not_due', waitLeftMs: 60_000 }],
  ['T3 · no wait is longer: the clock was set back behind it', { requestsMade: 1, waitLeftMs: 60_001 }, { type: 'granted', attempt: 2 }],
  ['T3 · spent requests are waited for no more', { turn: running, requestsMade: 3, waitLeftMs: 9 }, { type: 'exhausted' }],
  [
    'T4 · to a provider that fails for everybody nothing is sent',
    { turn: running, requestsMade: 2, away },
    { type: 'away', requestsMade: 2, ...away },
  ],
  ['T3 · its own wait comes first', { turn: running, requestsMade: 1, waitLeftMs: 1, away }, { type: 'not_due', waitLeftMs: 1 }],
  ['T3 · spent requests do not wait for a provider that is away', { turn: running, requestsMade: 3, away }, { type: 'exhausted' }],
  ['T5 · a cancel does not wait for a provider that is away', { turn: beingCancelled, away }, { type: 'cancelled' }],
  ['T5 · a cancel does not wait for it', { turn: beingCancelled, requestsMade: 1, waitLeftMs: 9 }, { type: 'cancelled' }],

  // The lease of another attempt.
  ['T2 · an attempt that runs is waited for', { turn: running, requestsMade: 1, leaseLeftMs: 7 }, { type: 'held', leaseLeftMs: 7 }],
  [
    'T7 · a healthy stream is not lost: who meets its lease waits for it',
    { turn: running, leaseLeftMs: 7, hasStarted: true, requestsMade: 1 },
    { type: 'held', leaseLeftMs: 7 },
  ],
  [
    'T5 · also to be cancelled: its holder does that',
    { turn: runningAndCancelled, leaseLeftMs: 7, hasStarted: true },
    { type: 'held', leaseLeftMs: 7 },
  ],
  ['a lease that has run out holds nobody', { turn: running, requestsMade: 1, leaseLeftMs: -1 }, { type: 'granted', attempt: 2 }],
  [
    'T2 · what had started under it is not asked again',
    { turn: running, leaseLeftMs: -1, hasStarted: true, requestsMade: 1 },
    { type: 'started' },
  ],

  // An answer that the provider keeps.
  [
    'T2 · an answer that its provider keeps is read on, whether it had started or not: nothing is asked again',
    { turn: running, hasStarted: true, requestsMade: 2, kept },
    { type: 'granted', ...kept },
  ],
  ['T3 · also where the requests are spent', { turn: running, requestsMade: 3, kept }, { type: 'granted', ...kept }],
  ['T7 · not while its reader lives', { turn: running, leaseLeftMs: 7, hasStarted: true, kept }, { type: 'held', leaseLeftMs: 7 }],
  ['T5 · not where a cancel was accepted', { turn: runningAndCancelled, hasStarted: true, requestsMade: 1, kept }, { type: 'started' }],

  ['T2 · a step that has started is never asked again', { turn: running, hasStarted: true, requestsMade: 1 }, { type: 'started' }],
  ['T2 · nor after its last request', { turn: running, hasStarted: true, requestsMade: 3 }, { type: 'started' }],
  ['T2 · nor to carry out a cancel', { turn: runningAndCancelled, hasStarted: true, requestsMade: 1 }, { type: 'started' }],
  ['T5 · after an accepted cancel no request is sent', { turn: beingCancelled }, { type: 'cancelled' }],
  ['T5 · an accepted cancel wins over spent requests', { turn: beingCancelled, requestsMade: 3 }, { type: 'cancelled' }],
  // Steps behind one another, and the calls of tools between them.
  ['T2 · a step is not asked for before the one in front of it has its answer', { turn: running, isAhead: true }, { type: 'ahead' }],
  ['T7 · whoever writes that answer is waited for', { turn: running, isAhead: true, leaseLeftMs: 7 }, { type: 'held', leaseLeftMs: 7 }],
  ['T5 · a cancel does not wait for it', { turn: runningAndCancelled, isAhead: true }, { type: 'cancelled' }],
  [
    'T6 · nor does the end of the turn',
    { turn: failed, isAhead: true },
    { type: 'settled', settled: { status: 'failed', code: 'worker_lost' } },
  ],
  ['T2 · a step that has its whole answer is over', { turn: running, isOver: true, hasStarted: true, requestsMade: 1 }, { type: 'over' }],
  [
    'T2 · also while the next one runs: nobody waits for that under this number',
    { turn: running, isOver: true, leaseLeftMs: 7, hasStarted: true, requestsMade: 1 },
    { type: 'over' },
  ],
  ['T5 · also under a cancel: that is for the next step', { turn: runningAndCancelled, isOver: true, hasStarted: true }, { type: 'over' }],
  [
    'T6 · a turn with an end keeps it, whichever of its steps is asked for',
    { turn: failed, isOver: true },
    { type: 'settled', settled: { status: 'failed', code: 'worker_lost' } },
  ],
  [
    'calls of tools are carried out before the request',
    { turn: running, round: { open: 2, isLast: false } },
    { type: 'tools', isLast: false },
  ],
  ['a round whose calls have ended is asked for', { turn: running, round: { open: 0, isLast: false } }, { type: 'granted', attempt: 1 }],
  ['the turn ends with its last round', { turn: running, round: { open: 1, isLast: true } }, { type: 'tools', isLast: true }],
  [
    'T2 · which is never followed by a request, also where its calls have ended',
    { turn: running, round: { open: 0, isLast: true } },
    { type: 'tools', isLast: true },
  ],
  [
    'T7 · who carries calls out is waited for',
    { turn: running, leaseLeftMs: 7, round: { open: 1, isLast: false } },
    { type: 'held', leaseLeftMs: 7 },
  ],
  [
    'T9 · the calls of one who was lost are the next one’s',
    { turn: running, leaseLeftMs: -1, round: { open: 1, isLast: false } },
    { type: 'tools', isLast: false },
  ],
  [
    'T5 · after an accepted cancel no call is begun',
    { turn: runningAndCancelled, round: { open: 1, isLast: true } },
    { type: 'cancelled' },
  ],

  [
    'T6 · a turn with an end keeps it',
    { turn: failed, leaseLeftMs: 7, hasStarted: true, requestsMade: 3 },
    { type: 'settled', settled: { status: 'failed', code: 'worker_lost' } },
  ],
  [
    'T6 · however it ended',
    { turn: turnRow({ status: 'completed', cancelRequestedAtMs: 5 }) },
    { type: 'settled', settled: { status: 'completed', code: null } },
  ],
];

for (const [title, known, expected] of cases) {
  test(title, () => {
    assert.deepEqual(decideClaim({ ...facts, ...known }), expected);
  });
}

test('facts are looked at in their order, each once, and none behind the one that decides', () => {
  const all = ['turn', 'isOver', 'leaseLeftMs', 'kept', 'hasStarted', 'isAhead', 'round', 'requestsMade', 'waitLeftMs', 'away'];
  const looked = (known: Partial<ClaimFacts>): readonly string[] => {
    const lazy = lazily({ ...facts, ...known });
    decideClaim(lazy.facts);
    return lazy.seen;
  };
  assert.deepEqual(looked({ turn: running, requestsMade: 1 }), all);
  assert.deepEqual(looked({ turn: running, requestsMade: 3 }), all.slice(0, 8));
  assert.deepEqual(looked({ turn: running, round: { open: 1, isLast: false } }), all.slice(0, 7));
  assert.deepEqual(looked({ turn: running, isAhead: true }), all.slice(0, 6));
  assert.deepEqual(looked({ turn: running, hasStarted: true, requestsMade: 1 }), all.slice(0, 5));
  assert.deepEqual(looked({ turn: beingCancelled }), ['turn', 'isOver', 'leaseLeftMs', 'hasStarted']);
  assert.deepEqual(looked({ turn: running, leaseLeftMs: 7 }), all.slice(0, 3));
  assert.deepEqual(looked({ turn: running, isOver: true }), all.slice(0, 2));
  assert.deepEqual(looked({ turn: failed }), all.slice(0, 1));
});
