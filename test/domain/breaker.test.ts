import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  breakerKeysOf,
  type BreakerRow,
  type BreakerState,
  failuresToOpen,
  FailureTally,
  isOfEverybody,
  isOfTenant,
  leftToOthersMs,
  mostBreakers,
  probeMs,
  stateOf,
  stricterOf,
  tallyMs,
  trip,
} from '../../src/domain/turn/breaker.ts';
import type { ModelFailure } from '../../src/domain/model.ts';
import { failureOfStreamError } from '../../src/providers/failures/error-body.ts';
import { failureOfStatus } from '../../src/providers/failures/status-failure.ts';
import { failureOfTransport } from '../../src/providers/failures/transport-failure.ts';

const ofModel = (model: string, tenant = 'ann') => breakerKeysOf('http://model.example/v1', model, tenant);
const [ann, bob] = [ofModel('scripted'), ofModel('scripted', 'bob')];
const key = ann.everybody;
const failed = { key, detail: '503', isProbe: false };
const row: BreakerRow = { key, openedAtMs: 0, trips: 1, untilMs: 5_000, probeUntilMs: null, detail: '503' };

test("a tenant's own opens once enough steps of its turns have failed within half a minute, and nobody was answered", () => {
  const tally = new FailureTally();
  const fail = (from: number, to: number, atMs: number) =>
    Array.from({ length: to - from }, (_, index) => tally.add(ann, `turn ${from + index}`, atMs)).filter((opens) => opens !== undefined);
  assert.deepEqual(fail(0, failuresToOpen - 1, 0), []);
  tally.clear(bob.tenant);
  assert.deepEqual(fail(0, failuresToOpen - 1, 0), [], 'an answer to anybody lets it begin anew');
  assert.equal(tally.add(ann, 'turn 0', 1), undefined, 'one step counts once, however often it is asked for');
  assert.equal(tally.add(ofModel('another'), 'turn 9', 1), undefined);
  assert.equal(tally.add(ann, 'turn 9', 1), 'tenant');
  tally.clear(ann.everybody);
  assert.deepEqual(fail(0, failuresToOpen - 1, 0), []);
  assert.equal(tally.add(ann, 'turn 9', tallyMs), undefined, 'what failed long ago counts no more');
});

test("T14 · one tenant's failures never open everybody's, those of two tenants do", () => {
  const tally = new FailureTally();
  const opened = Array.from({ length: 20 * failuresToOpen }, (_, index) => tally.add(ann, `turn ${index}`, 0));
  assert.deepEqual([...new Set(opened)], [undefined, 'tenant']);
  assert.equal(tally.add(bob, 'turn of bob', 1), 'everybody');
  for (let of = 0; of < failuresToOpen - 1; of += 1)
    assert.equal(tally.add(ofModel('scripted', `tenant ${of}`), `turn ${of}`, 0), undefined);
  assert.equal(tally.add(bob, 'turn of bob', 1), 'everybody', 'of many tenants one each');
});

test('T14 · whatever models are named, no more than so many are counted', () => {
  const tally = new FailureTally();
  for (let of = 0; of < failuresToOpen - 1; of += 1) tally.add(ofModel('first'), `turn ${of}`, 0);
  for (let index = 0; index < mostBreakers; index += 1) tally.add(ofModel(`model ${index}`), 'turn', 0);
  assert.equal(tally.add(ofModel('first'), 'the last that it needs', 0), undefined, 'the oldest is forgotten');
});

test('T14 · whose probe has failed for everybody leaves the next one to others', () => {
  const everybody = trip(row, { ...failed, isProbe: true, nowMs: 5_000 });
  assert.ok(everybody);
  const { untilMs } = everybody;
  const own = trip(undefined, { ...failed, key: ann.tenant, isProbe: true, notBeforeMs: untilMs + leftToOthersMs, nowMs: 5_000 });
  assert.deepEqual(stateOf(everybody, untilMs), { type: 'due' });
  assert.deepEqual(stateOf(own, untilMs), { type: 'open', waitMs: leftToOthersMs, isLasting: false });
  assert.deepEqual(stateOf(own, untilMs + leftToOthersMs), { type: 'due' });
});

test('a request is let through by the stricter of two', () => {
  const closed: BreakerState = { type: 'closed' };
  const due: BreakerState = { type: 'due' };
  const halfOpen: BreakerState = { type: 'half_open', waitMs: 9 };
  const open: BreakerState = { type: 'open', waitMs: 7, isLasting: false };
  const lasting: BreakerState = { type: 'open', waitMs: 3, isLasting: true };
  for (const [one, other, expected] of [
    [closed, closed, closed],
    [closed, due, due],
    [due, halfOpen, halfOpen],
    [halfOpen, open, open],
    [open, lasting, { type: 'open', waitMs: 7, isLasting: true }],
  ] as const) {
    assert.deepEqual(stricterOf(one, other), expected);
    assert.deepEqual(stricterOf(other, one), expected);
  }
});

test('while it is open nothing is sent, then one request, and a longer wait where that fails', () => {
  assert.deepEqual(stateOf(undefined, 0), { type: 'closed' });
  assert.deepEqual(stateOf(row, 1_000), { type: 'open', waitMs: 4_000, isLasting: false });
  assert.deepEqual(stateOf(row, 5_000), { type: 'due' });
  const probed: BreakerRow = { ...row, probeUntilMs: 5_000 + probeMs };
  assert.deepEqual(stateOf(probed, 6_000), { type: 'half_open', waitMs: probeMs - 1_000 });
  assert.deepEqual(stateOf(probed, 5_000 + probeMs), { type: 'due' }, 'whoever had the probe is lost');
  const waits: number[] = [];
  let again = probed;
  for (let nowMs = 6_000; waits.length < 5; nowMs = again.untilMs) {
    again = trip(again, { ...failed, isProbe: true, nowMs }) ?? again;
    waits.push(again.untilMs - nowMs);
  }
  assert.deepEqual(waits, [10_000, 20_000, 30_000, 30_000, 30_000]);
  assert.deepEqual([again.openedAtMs, again.probeUntilMs], [0, null]);
  assert.deepEqual(stateOf(again, again.untilMs - 1), { type: 'open', waitMs: 1, isLasting: true });
});

test('an outage is the same one until it is closed, whichever process finds it', () => {
  assert.deepEqual(trip(undefined, { ...failed, nowMs: 0 }), row);
  assert.equal(trip(row, { ...failed, nowMs: 4_999 }), undefined);
  assert.equal(trip({ ...row, probeUntilMs: 9_000 }, { ...failed, nowMs: 6_000 }), undefined, 'a straggler is no probe');
  assert.equal(trip(row, { ...failed, nowMs: 5_000 })?.trips, 2);
});

test('a clock that is set back keeps nobody waiting longer than there are waits', () => {
  assert.deepEqual(stateOf({ ...row, untilMs: 1_000_000 }, 0), { type: 'due' });
  assert.deepEqual(stateOf({ ...row, probeUntilMs: 1_000_000 }, 6_000), { type: 'due' });
});

test('its name has neither credentials nor a query, and no model can be named so that it is that of another tenant', () => {
  const keys = breakerKeysOf('https://me:secret@model.example/v1?key=secret', 'a', 'a tenant');
  assert.deepEqual(keys, { everybody: 'https://model.example/v1 a', tenant: 'tenant=a%20tenant https://model.example/v1 a' });
  assert.deepEqual([isOfTenant(keys.everybody), isOfTenant(keys.tenant)], [false, true]);
  assert.notEqual(ofModel('a').everybody, ofModel('b').everybody);
  assert.notEqual(ofModel('a', 'ann b').tenant, ofModel('b a', 'ann').tenant);
});

const status = (code: number, body: object = {}, headers: Record<string, string> = {}): ModelFailure =>
  failureOfStatus({ status: code, headers: new Headers(headers), bodyText: JSON.stringify(body), nowMs: 0 });
const transport = (code: string): ModelFailure => failureOfTransport(Object.assign(new Error(code), { code }), false);
const stream = (code: string): ModelFailure => failureOfStreamError({ code, type: undefined, message: undefined });

const verdicts: readonly (readonly [ModelFailure, boolean])[] = [
  [transport('ECONNREFUSED'), true],
  [transport('ENOTFOUND'), true],
  [transport('UND_ERR_CONNECT_TIMEOUT'), true],
  [transport('ECONNRESET'), true],
  [transport('EMFILE'), false],
  [transport('ERR_TLS_CERT_ALTNAME_INVALID'), false],
  [status(500), true],
  [status(502), true],
  [status(503, {}, { 'retry-after': '7' }), true],
  [status(529, { error: { type: 'overloaded_error' } }), true],
  [status(400), false],
  [status(401), false],
  [status(404), false],
  [status(408), false],
  [status(409), false],
  [status(429), false],
  [status(500, { error: { message: 'image input is not supported' } }), false],
  [status(503, { error: { code: 'insufficient_quota' } }), false],
  [stream('overloaded_error'), true],
  [stream('server_error'), true],
  [stream('rate_limit_exceeded'), false],
  [stream('slow_down'), false],
  [stream('insufficient_quota'), false],
];

for (const [failure, isEverybodys] of verdicts) {
  test(`${failure.code} (${failure.detail ?? ''}) ${isEverybodys ? 'would meet everybody' : 'is that of one request, or one key'}`, () => {
    assert.equal(isOfEverybody(failure), isEverybodys);
  });
}
