/** When a call is made again, what is read of a failure, and what of an event. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallError, type CallFailure, refused, unreachable } from '../../src/http-client/call-error.ts';
import { readEvent } from '../../src/http-client/events.ts';
import { advance, isRepeated, streamStart } from '../../src/http-client/resume.ts';
import { OutageClock, outageLimitMs, retryDelayMs } from '../../src/http-client/retry.ts';

const cut: CallFailure = { type: 'unreachable', detail: 'ECONNRESET' };
const answered = (status: number, headers: Record<string, string> = {}): CallFailure => refused(status, new Headers(headers), '');
const event = (data: object) => readEvent(JSON.stringify(data))!;

for (const [title, failure, failures, expected] of [
  ['no answer, the first time', cut, 1, 100],
  ['no answer, the fourth time', cut, 4, 1_000],
  ['no answer, the fifth time', cut, 5, 2_000],
  ['a gateway that starts', answered(503), 1, 100],
  ['a gateway with too much to do', answered(429, { 'retry-after': '7' }), 1, 7_000],
  ['a wish of an hour', answered(503, { 'retry-after': '3600' }), 1, 60_000],
  ['a date for a wish', answered(503, { 'retry-after': 'Wed, 21 Oct 2065 07:28:00 GMT' }), 2, 250],
  ['a server that forbids it', answered(503, { 'x-should-retry': 'false' }), 1, undefined],
  ['a busy session that may be asked again', answered(409, { 'x-should-retry': 'true' }), 1, 100],
  ['a body that is not valid', answered(400), 1, undefined],
  ['a key that is wrong', answered(401), 1, undefined],
  ['an id that is unknown', answered(404), 1, undefined],
  ['a stream that is past its retention', answered(410), 1, undefined],
  ['a key that was used for another body', answered(422), 1, undefined],
] as const) {
  test(`${title}: ${expected === undefined ? 'never again' : `again after ${expected} ms`}`, () => {
    assert.equal(retryDelayMs(failure, { failures, ms: 0 }), expected);
  });
}

test('an outage is borne for two minutes, and begins anew with every sign of life', (t) => {
  assert.equal(retryDelayMs(cut, { failures: 60, ms: outageLimitMs - 1 }), 2_000);
  assert.equal(retryDelayMs(cut, { failures: 60, ms: outageLimitMs }), undefined);
  const now = t.mock.method(performance, 'now', () => 0);
  const clock = new OutageClock();
  assert.deepEqual(clock.retryAfter(cut), { failure: cut, failures: 1, waitMs: 100 });
  now.mock.mockImplementation(() => outageLimitMs - 1);
  assert.deepEqual(clock.retryAfter(cut), { failure: cut, failures: 2, waitMs: 250 });
  clock.signOfLife();
  now.mock.mockImplementation(() => outageLimitMs);
  assert.deepEqual(clock.retryAfter(cut), { failure: cut, failures: 1, waitMs: 100 });
  now.mock.mockImplementation(() => 2 * outageLimitMs);
  assert.throws(() => clock.retryAfter(cut), CallError);
});

test('a position: the id of the first event, the number of the last, the outcome once; what was seen is known again', () => {
  let position = advance(
    streamStart,
    event({ type: 'response.created', sequence_number: 0, response: { id: 'resp_1', status: 'queued' } }),
  );
  assert.deepEqual(position, { id: 'resp_1', lastSeq: 0, outcome: undefined });
  position = advance(position, event({ type: 'response.something.new', sequence_number: 1, delta: { not: 'a text' } }));
  assert.deepEqual(position, { id: 'resp_1', lastSeq: 1, outcome: undefined });
  assert.equal(isRepeated(position, event({ type: 'response.output_text.delta', sequence_number: 1, delta: 'x' })), true);
  assert.equal(isRepeated(position, event({ type: 'response.output_text.delta', sequence_number: 2, delta: 'x' })), false);
  position = advance(position, event({ type: 'response.completed', sequence_number: 2, response: { id: 'resp_1', status: 'completed' } }));
  assert.deepEqual(position, { id: 'resp_1', lastSeq: 2, outcome: { status: 'completed' } });
});

test('[DONE] and what is no JSON are no events; a field of the wrong type is as good as none', () => {
  assert.deepEqual(
    ['[DONE]', '{"type":', '{"no":"type"}', '[]', 'null', '"type"', '{"type":1}'].map(readEvent),
    Array.from({ length: 7 }, () => undefined),
  );
  const strange = event({ type: 'x', delta: 1, sequence_number: '1', item: ['a'], response: 'b', error: null, code: {}, message: false });
  assert.deepEqual(
    Object.entries(strange).filter(([, value]) => value !== undefined),
    [['type', 'x']],
  );
  assert.deepEqual(event({ type: 'x', response: { id: 1, error: 'c', incomplete_details: { reason: 2 } } }).response, {
    id: undefined,
    model: undefined,
    status: undefined,
    error: undefined,
    incomplete_details: { reason: undefined },
  });
});

test('a failure says the innermost code, and what the server says of itself', () => {
  const inner = Object.assign(new Error('read'), { code: 'ECONNRESET' });
  assert.deepEqual(unreachable(new TypeError('terminated', { cause: inner })), { type: 'unreachable', detail: 'ECONNRESET' });
  assert.deepEqual(unreachable(new TypeError('fetch failed', { cause: new Error('bad port') })), {
    type: 'unreachable',
    detail: 'bad port',
  });
  assert.deepEqual(refused(422, new Headers(), '{"error":{"message":"Another body.","code":"idempotency_key_reused"}}'), {
    type: 'refused',
    status: 422,
    code: 'idempotency_key_reused',
    message: 'Another body.',
    retryAfterMs: undefined,
    shouldRetry: undefined,
  });
});
