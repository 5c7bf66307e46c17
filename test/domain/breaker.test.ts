import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  breakerKeyOf,
  type BreakerRow,
  failuresToOpen,
  FailureTally,
  isOfEverybody,
  mostBreakers,
  probeMs,
  stateOf,
  tallyMs,
  trip,
} from '../../src/domain/turn/breaker.ts';
import type { ModelFailure } from '../../src/domain/model.ts';
import { failureOfStreamError } from '../../src/providers/failures/error-body.ts';
import { failureOfStatus } from '../../src/providers/failures/status-failure.ts';
import { failureOfTransport } from '../../src/providers/failures/transport-failure.ts';

const key = 'http://model.example/v1 scripted';
const failed = { key, detail: '503', isProbe: false };
const row: BreakerRow = { key, openedAtMs: 0, trips: 1, untilMs: 5_000, probeUntilMs: null, detail: '503' };

test('it opens once enough steps of turns have failed within half a minute, and none was answered', () => {
  const tally = new FailureTally();
  const fail = (from: number, to: number, atMs: number): boolean[] =>
    Array.from({ length: to - from }, (_, index) => tally.add(key, `turn ${from + index}`, atMs));
  assert.ok(!fail(0, failuresToOpen - 1, 0).includes(true));
  tally.clear(key);
  assert.ok(!fail(0, failuresToOpen - 1, 0).includes(true), 'an answer lets it begin anew');
  assert.ok(!tally.add(key, 'turn 0', 1), 'one step counts once, however often it is asked for');
  assert.ok(!tally.add('another', 'turn 9', 1));
  assert.ok(tally.add(key, 'turn 9', 1));
  assert.ok(!fail(0, failuresToOpen - 1, 0).includes(true));
  assert.ok(!tally.add(key, 'turn 9', tallyMs), 'what failed long ago counts no more');
});

test('T14 · whatever models are named, no more than so many are counted', () => {
  const tally = new FailureTally();
  for (let of = 0; of < failuresToOpen - 1; of += 1) tally.add('first', `turn ${of}`, 0);
  for (let index = 0; index < mostBreakers; index += 1) tally.add(`model ${index}`, 'turn', 0);
  assert.ok(!tally.add('first', 'the last that it needs', 0), 'the oldest is forgotten');
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

test('its name has neither credentials nor a query', () => {
  assert.equal(breakerKeyOf('https://me:secret@model.example/v1?key=secret', 'a'), 'https://model.example/v1 a');
  assert.notEqual(breakerKeyOf('https://model.example/v1', 'a'), breakerKeyOf('https://model.example/v1', 'b'));
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
