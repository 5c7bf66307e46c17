import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Admission,
  type AdmissionFacts,
  type AdmissionRequest,
  decideAdmission,
  earlyCancelMs,
  type PreviousFacts,
  type TwinFacts,
} from '../../src/domain/turn/admission.ts';
import type { TurnRow } from '../../src/domain/turn/turn.ts';
import { lazily, turnRow } from '../support/turn-row.ts';

const createdAtMs = 1_000_000;

const request: AdmissionRequest = {
  tenant: 'default',
  session: 'conv_a',
  idempotencyKey: null,
  bodyHash: 'hash',
  receivedAtMs: createdAtMs - 5,
  createdAtMs,
  previous: null,
  isResend: false,
  joinsTwin: true,
  whenBusy: 'enqueue',
  limits: { maxWaitingTurns: 2, maxRunningTurns: 5 },
};

const facts: AdmissionFacts = {
  ofId: undefined,
  ofKey: undefined,
  twin: undefined,
  previous: undefined,
  hasSession: true,
  unsettledInSession: [],
  unsettledOfTenant: 0,
  earlyCancelAtMs: undefined,
  isParentOver: false,
};

const admitted: Admission & { type: 'admitted' } = { type: 'admitted', cancelRequestedAtMs: null, isReady: true, interrupts: undefined };
const waiting: Admission = { ...admitted, isReady: false };
const turn = turnRow();
const keyed = { idempotencyKey: 'k', joinsTwin: false } as const;
const named = { chosenId: 'resp_a', joinsTwin: false } as const;
const original = { turn, isResend: false };
/** Settled and there, but for these. */
function previousOf(fields: Partial<PreviousFacts>): PreviousFacts {
  return { settledAtMs: 9, erasedBy: null, isBehindUnsettled: false, ...fields };
}

const afterPrevious = { session: null, previous: 'resp_b' } as const;

function madeByResend(fields: Partial<TurnRow> = {}): TwinFacts {
  return { turn: turnRow(fields), isResend: true };
}

interface Case {
  readonly title: string;
  readonly request?: Partial<AdmissionRequest>;
  readonly facts?: Partial<AdmissionFacts>;
  readonly expected: Admission;
}

function unsettled(...ids: string[]): AdmissionFacts['unsettledInSession'] {
  return ids.map((id) => ({ id, publicId: `resp_${id}`, isCancelRequested: id.endsWith('cancelled') }));
}

const cases: readonly Case[] = [
  { title: 'a turn that nothing speaks against is admitted', expected: admitted },

  // The same id, or the same idempotency key.
  { title: 'T1 · the same key again joins its turn', request: keyed, facts: { ofKey: turn }, expected: { type: 'joined', turn } },
  { title: 'T1 · the same id again joins its turn', request: named, facts: { ofId: turn }, expected: { type: 'joined', turn } },
  {
    title: 'another body under a key is another request',
    request: { ...keyed, bodyHash: 'other' },
    facts: { ofKey: turn },
    expected: { type: 'conflict' },
  },
  {
    title: 'another body under an id is another request',
    request: { ...named, bodyHash: 'other' },
    facts: { ofId: turn },
    expected: { type: 'conflict' },
  },
  {
    title: 'a key whose turn has another id is of another request',
    request: { ...keyed, chosenId: 'resp_other' },
    facts: { ofKey: turn },
    expected: { type: 'conflict' },
  },
  {
    title: 'a key and an id of two turns are of no request',
    request: { ...keyed, chosenId: 'resp_other' },
    facts: { ofKey: turn, ofId: turnRow({ id: 'resp_other' }) },
    expected: { type: 'conflict' },
  },
  {
    title: 'a turn that was erased is joined no more',
    request: keyed,
    facts: { ofKey: turnRow({ erasedBy: 'owner' }) },
    expected: { type: 'conflict' },
  },
  {
    title: 'T1 · the same submission joins also where its session is full, or gone',
    request: keyed,
    facts: { ofKey: turn, hasSession: false, unsettledInSession: unsettled('a', 'b', 'c'), unsettledOfTenant: 9 },
    expected: { type: 'joined', turn },
  },

  // A resend, before or behind its original.
  { title: 'T1 · a resend joins its original', request: { isResend: true }, facts: { twin: original }, expected: { type: 'joined', turn } },
  {
    title: 'T1 · a resend joins another resend',
    request: { isResend: true },
    facts: { twin: madeByResend() },
    expected: { type: 'joined', turn },
  },
  { title: 'the same words, not sent again by a client, are a new turn', facts: { twin: original }, expected: admitted },
  { title: 'a resend without a twin is a new turn', request: { isResend: true }, expected: admitted },
  {
    title: 'T1 · an original that its own resend has overtaken joins that: it arrived before the resend was taken in',
    facts: { twin: madeByResend({ createdAtMs: createdAtMs - 5 }) },
    expected: { type: 'joined', turn: turnRow({ createdAtMs: createdAtMs - 5 }) },
  },
  {
    title: 'the same words that arrived after a resend was taken in are a new turn',
    facts: { twin: madeByResend({ createdAtMs: createdAtMs - 6 }) },
    expected: admitted,
  },
  {
    title: 'a submission with a key or an id of its own has no twin',
    request: { isResend: true, joinsTwin: false },
    facts: { twin: original },
    expected: admitted,
  },

  // The turn it follows, outside of a session.
  { title: 'a turn follows one that has its end', request: afterPrevious, facts: { previous: previousOf({}) }, expected: admitted },
  ...(
    [
      ['that is not there (any more)', undefined, 'unknown_previous'],
      ['that was deleted', previousOf({ erasedBy: 'owner' }), 'unknown_previous'],
      ['that is past retention', previousOf({ erasedBy: 'retention' }), 'unknown_previous'],
      ['that has no end yet', previousOf({ settledAtMs: null }), 'unsettled_previous'],
      ['that was cancelled behind one that runs', previousOf({ isBehindUnsettled: true }), 'unsettled_previous'],
    ] as const
  ).map(([which, previous, type]) => ({
    title: `a turn does not follow one ${which}`,
    request: afterPrevious,
    facts: { previous },
    expected: { type },
  })),

  // Its session.
  { title: 'a session that is gone takes nothing in', facts: { hasSession: false }, expected: { type: 'unknown_session' } },
  { title: 'outside of a session there is none to be gone', request: { session: null }, facts: { hasSession: false }, expected: admitted },
  { title: 'a busy session has it wait', facts: { unsettledInSession: unsettled('a', 'b') }, expected: waiting },
  {
    title: 'a busy session refuses what is not to wait, and names what runs',
    request: { whenBusy: 'reject' },
    facts: { unsettledInSession: unsettled('a', 'b') },
    expected: { type: 'busy', running: 'resp_a' },
  },
  { title: 'an idle session refuses nothing', request: { whenBusy: 'reject' }, expected: admitted },
  {
    title: 'an interruption cancels what runs',
    request: { whenBusy: 'interrupt' },
    facts: { unsettledInSession: unsettled('a', 'b') },
    expected: { ...waiting, interrupts: 'a' },
  },
  {
    title: 'an interruption of what is being cancelled cancels what would run next',
    request: { whenBusy: 'interrupt' },
    facts: { unsettledInSession: unsettled('a_cancelled', 'b') },
    expected: { ...waiting, interrupts: 'b' },
  },
  {
    title: 'an interruption has nothing to cancel where all is being cancelled',
    request: { whenBusy: 'interrupt' },
    facts: { unsettledInSession: unsettled('a_cancelled') },
    expected: waiting,
  },

  // Room.
  {
    title: 'one runs and as many wait as may: the next is refused',
    facts: { unsettledInSession: unsettled('a', 'b', 'c') },
    expected: { type: 'queue_full' },
  },
  {
    title: 'an interruption needs room as well',
    request: { whenBusy: 'interrupt' },
    facts: { unsettledInSession: unsettled('a', 'b', 'c') },
    expected: { type: 'queue_full' },
  },
  { title: 'a tenant with as many turns as it may have is refused', facts: { unsettledOfTenant: 5 }, expected: { type: 'too_many' } },
  { title: 'one below is not', facts: { unsettledOfTenant: 4 }, expected: admitted },

  // A provider that fails for everybody, and long since.
  {
    title: 'a turn that would not wait for its provider is refused',
    request: { refusedForMs: 7_000 },
    expected: { type: 'provider_away', retryAfterMs: 7_000 },
  },
  {
    title: 'T1 · one that is in is joined, whatever its provider does',
    request: { ...keyed, refusedForMs: 7_000 },
    facts: { ofKey: turn },
    expected: { type: 'joined', turn },
  },
  {
    title: 'one that waits for others anyway is taken in',
    request: { refusedForMs: 7_000 },
    facts: { unsettledInSession: unsettled('a') },
    expected: waiting,
  },

  // A cancel that came first.
  {
    title: 'T5 · a cancel that came before its turn counts',
    request: named,
    facts: { earlyCancelAtMs: createdAtMs - earlyCancelMs + 1 },
    expected: { ...admitted, cancelRequestedAtMs: createdAtMs },
  },
  {
    title: 'T5 · a cancel that came 10 minutes before its turn counts no more',
    request: named,
    facts: { earlyCancelAtMs: createdAtMs - earlyCancelMs },
    expected: admitted,
  },
];

for (const each of cases) {
  test(each.title, () => {
    assert.deepEqual(decideAdmission({ ...request, ...each.request }, { ...facts, ...each.facts }), each.expected);
  });
}

test('facts are looked at in their order, each once, and none behind the one that decides', () => {
  const looked = (fields: Partial<AdmissionRequest>, known: Partial<AdmissionFacts>): readonly string[] => {
    const lazy = lazily({ ...facts, ...known });
    decideAdmission({ ...request, ...fields }, lazy.facts);
    return lazy.seen;
  };
  const inSession = ['twin', 'hasSession', 'unsettledInSession', 'unsettledOfTenant'];
  assert.deepEqual(looked({ whenBusy: 'interrupt' }, { unsettledInSession: unsettled('a') }), inSession);
  const withNames = ['ofId', 'ofKey', ...inSession.slice(1), 'earlyCancelAtMs'];
  assert.deepEqual(looked({ ...keyed, ...named }, {}), withNames);
  assert.deepEqual(looked(keyed, {}), withNames.slice(1, -1));
  assert.deepEqual(looked(named, {}), withNames.toSpliced(1, 1));
  assert.deepEqual(looked({ ...keyed, ...named }, { ofKey: turn, ofId: turn }), withNames.slice(0, 2));
  assert.deepEqual(looked({ isResend: true }, { twin: original }), inSession.slice(0, 1));
  assert.deepEqual(looked({}, { hasSession: false }), inSession.slice(0, 2));
  assert.deepEqual(looked({ whenBusy: 'reject' }, { unsettledInSession: unsettled('a') }), inSession.slice(0, 3));
  assert.deepEqual(looked({}, { unsettledOfTenant: 5 }), inSession);
  const alone = ['twin', 'previous', 'unsettledOfTenant'];
  assert.deepEqual(looked(afterPrevious, { previous: previousOf({}) }), alone);
  assert.deepEqual(looked(afterPrevious, {}), alone.slice(0, 2));
  assert.deepEqual(looked({ session: null }, {}), alone.toSpliced(1, 1));
});
