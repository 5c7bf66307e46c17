import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Admission, type AdmissionFacts, type AdmissionRequest, decideAdmission, earlyCancelMs } from '../../src/domain/admission.ts';
import { lazily, turnRow } from '../support/turn-row.ts';

const createdAtMs = 1_000_000;

const request: AdmissionRequest = {
  tenant: 'default',
  session: 'conv_a',
  bodyHash: 'hash',
  createdAtMs,
  whenBusy: 'enqueue',
  limits: { maxWaitingTurns: 2, maxRunningTurns: 5 },
};

const facts: AdmissionFacts = {
  same: undefined,
  twin: undefined,
  hasSession: true,
  unsettledInSession: [],
  unsettledOfTenant: 0,
  earlyCancelAtMs: undefined,
};

const admitted: Admission = { type: 'admitted', cancelRequestedAtMs: null, interrupts: undefined };
const joins = { settledAfterMs: 0 };
const turn = turnRow();

interface Case {
  readonly title: string;
  readonly request?: Partial<AdmissionRequest>;
  readonly facts?: Partial<AdmissionFacts>;
  readonly expected: Admission;
}

function unsettled(...ids: string[]): AdmissionFacts['unsettledInSession'] {
  return ids.map((id) => ({ id, isCancelRequested: id.endsWith('cancelled') }));
}

const cases: readonly Case[] = [
  { title: 'a turn that nothing speaks against is admitted', expected: admitted },

  // The same id, or the same idempotency key.
  { title: 'T1 · the same submission again joins its turn', facts: { same: turn }, expected: { type: 'joined', turn } },
  { title: 'another body is another request', request: { bodyHash: 'other' }, facts: { same: turn }, expected: { type: 'conflict' } },
  { title: 'another tenant learns nothing', request: { tenant: 'other' }, facts: { same: turn }, expected: { type: 'conflict' } },
  {
    title: 'a turn that was erased is joined no more',
    facts: { same: turnRow({ erasedBy: 'owner' }) },
    expected: { type: 'conflict' },
  },
  {
    title: 'T1 · the same submission joins also where its session is full, or gone',
    facts: { same: turn, hasSession: false, unsettledInSession: unsettled('a', 'b', 'c'), unsettledOfTenant: 9 },
    expected: { type: 'joined', turn },
  },

  // A resend.
  { title: 'T1 · a resend joins its twin', request: { joins }, facts: { twin: turn }, expected: { type: 'joined', turn } },
  { title: 'the same words, not sent again by a client, are a new turn', facts: { twin: turn }, expected: admitted },
  { title: 'a resend without a twin is a new turn', request: { joins }, expected: admitted },

  // Its session.
  { title: 'a session that is gone takes nothing in', facts: { hasSession: false }, expected: { type: 'unknown_session' } },
  { title: 'outside of a session there is none to be gone', request: { session: null }, facts: { hasSession: false }, expected: admitted },
  { title: 'a busy session has it wait', facts: { unsettledInSession: unsettled('a', 'b') }, expected: admitted },
  {
    title: 'a busy session refuses what is not to wait, and names what runs',
    request: { whenBusy: 'reject' },
    facts: { unsettledInSession: unsettled('a', 'b') },
    expected: { type: 'busy', running: 'a' },
  },
  { title: 'an idle session refuses nothing', request: { whenBusy: 'reject' }, expected: admitted },
  {
    title: 'an interruption cancels what runs',
    request: { whenBusy: 'interrupt' },
    facts: { unsettledInSession: unsettled('a', 'b') },
    expected: { ...admitted, interrupts: 'a' },
  },
  {
    title: 'an interruption of what is being cancelled cancels what would run next',
    request: { whenBusy: 'interrupt' },
    facts: { unsettledInSession: unsettled('a_cancelled', 'b') },
    expected: { ...admitted, interrupts: 'b' },
  },
  {
    title: 'an interruption has nothing to cancel where all is being cancelled',
    request: { whenBusy: 'interrupt' },
    facts: { unsettledInSession: unsettled('a_cancelled') },
    expected: admitted,
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

  // A cancel that came first.
  {
    title: 'T5 · a cancel that came before its turn counts',
    facts: { earlyCancelAtMs: createdAtMs - earlyCancelMs + 1 },
    expected: { ...admitted, cancelRequestedAtMs: createdAtMs },
  },
  {
    title: 'T5 · a cancel that came 10 minutes before its turn counts no more',
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
  const all = ['same', 'twin', 'hasSession', 'unsettledInSession', 'unsettledOfTenant', 'earlyCancelAtMs'];
  const looked = (fields: Partial<AdmissionRequest>, known: Partial<AdmissionFacts>): readonly string[] => {
    const lazy = lazily({ ...facts, ...known });
    decideAdmission({ ...request, ...fields }, lazy.facts);
    return lazy.seen;
  };
  assert.deepEqual(looked({ joins, whenBusy: 'interrupt' }, { unsettledInSession: unsettled('a') }), all);
  assert.deepEqual(looked({}, {}), all.toSpliced(1, 1));
  assert.deepEqual(looked({ session: null }, {}), ['same', 'unsettledOfTenant', 'earlyCancelAtMs']);
  assert.deepEqual(looked({ joins }, { same: turn }), all.slice(0, 1));
  assert.deepEqual(looked({ joins }, { twin: turn }), all.slice(0, 2));
  assert.deepEqual(looked({ joins }, { hasSession: false }), all.slice(0, 3));
  assert.deepEqual(looked({ joins, whenBusy: 'reject' }, { unsettledInSession: unsettled('a') }), all.slice(0, 4));
  assert.deepEqual(looked({ joins }, { unsettledOfTenant: 5 }), all.slice(0, 5));
});
