/** What the chat does after a call failed or a stream was cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CallFailure, refused, unreachable } from '../../src/cli/chat/call-failure.ts';
import { troubleWith } from '../../src/cli/chat/chat-error.ts';
import { advance, atStart, isRepeat } from '../../src/cli/chat/progress.ts';
import { nextCall, patienceMs, waitBeforeRetry } from '../../src/cli/chat/reconnect.ts';
import { readEvent } from '../../src/cli/chat/stream-event.ts';

const cut: CallFailure = { type: 'unreachable', detail: 'ECONNRESET' };
const answered = (status: number, headers: Record<string, string> = {}): CallFailure => refused(status, new Headers(headers), '');
const first = { failures: 1, ms: 0 };
const event = (data: object) => readEvent(JSON.stringify(data))!;

for (const [title, failure, progress, silence, expected] of [
  ['cut before the id is known: the POST again', cut, atStart, first, { type: 'post', waitMs: 100 }],
  [
    'cut between the headers and the first event: from the first event',
    cut,
    { ...atStart, id: 'resp_1' },
    first,
    { type: 'resume', id: 'resp_1', after: undefined, waitMs: 100 },
  ],
  [
    'cut behind event 0: behind it',
    cut,
    { ...atStart, id: 'resp_1', lastSeq: 0 },
    first,
    { type: 'resume', id: 'resp_1', after: 0, waitMs: 100 },
  ],
  [
    'cut in mid-answer for the fourth time',
    cut,
    { ...atStart, id: 'resp_1', lastSeq: 41 },
    { failures: 4, ms: 1_000 },
    { type: 'resume', id: 'resp_1', after: 41, waitMs: 1_000 },
  ],
  ['past our patience', cut, { ...atStart, id: 'resp_1', lastSeq: 41 }, { failures: 60, ms: patienceMs }, { type: 'give_up' }],
  ['the POST is not valid', answered(400), atStart, first, { type: 'give_up' }],
  ['the stream is past its retention', answered(410), { ...atStart, id: 'resp_1', lastSeq: 3 }, first, { type: 'give_up' }],
] as const) {
  test(`${title}: ${expected.type}`, () => {
    assert.deepEqual(nextCall(failure, progress, silence), expected);
  });
}

for (const [title, failure, failures, expected] of [
  ['no answer, the fifth time', cut, 5, 2_000],
  ['a gateway that starts', answered(503), 1, 100],
  ['a gateway with too much to do', answered(429, { 'retry-after': '7' }), 1, 7_000],
  ['a wish of an hour', answered(503, { 'retry-after': '3600' }), 1, 60_000],
  ['a date for a wish', answered(503, { 'retry-after': 'Wed, 21 Oct 2065 07:28:00 GMT' }), 2, 250],
  ['a server that forbids it', answered(503, { 'x-should-retry': 'false' }), 1, undefined],
  ['a busy session that may be asked again', answered(409, { 'x-should-retry': 'true' }), 1, 100],
  ['a key that is wrong', answered(401), 1, undefined],
  ['an id that is unknown', answered(404), 1, undefined],
  ['a key that was used for another body', answered(422), 1, undefined],
] as const) {
  test(`${title}: ${expected === undefined ? 'never again' : `again after ${expected} ms`}`, () => {
    assert.equal(waitBeforeRetry(failure, { failures, ms: 0 }), expected);
  });
}

test('progress: the id of the first event, the number of the last, the end once; what was seen is known again', () => {
  let progress = advance(atStart, event({ type: 'response.created', sequence_number: 0, response: { id: 'resp_1', status: 'queued' } }));
  assert.deepEqual(progress, { id: 'resp_1', lastSeq: 0, ending: undefined });
  progress = advance(progress, event({ type: 'response.something.new', sequence_number: 1, delta: { not: 'a text' } }));
  assert.deepEqual(progress, { id: 'resp_1', lastSeq: 1, ending: undefined });
  assert.equal(isRepeat(progress, event({ type: 'response.output_text.delta', sequence_number: 1, delta: 'x' })), true);
  assert.equal(isRepeat(progress, event({ type: 'response.output_text.delta', sequence_number: 2, delta: 'x' })), false);
  progress = advance(progress, event({ type: 'response.completed', sequence_number: 2, response: { id: 'resp_1', status: 'completed' } }));
  assert.deepEqual(progress, { id: 'resp_1', lastSeq: 2, ending: { status: 'completed' } });
});

test('[DONE] and what is no JSON are no events', () => {
  assert.deepEqual([readEvent('[DONE]'), readEvent('{"type":'), readEvent('{"no":"type"}')], [undefined, undefined, undefined]);
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
  assert.equal(troubleWith('http://x/v1', answered(502)), 'The gateway at http://x/v1 answered 502: the answer was HTTP 502');
});
