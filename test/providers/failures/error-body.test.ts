/** Errors that arrive in the stream, in each form that providers send. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { longestBusyWaitMs } from '../../../src/domain/turn/retry-policy.ts';
import { datedFailure } from '../../../src/providers/failures/model-failure.ts';
import { failureOfStreamError, failureOfWords, readErrorBody, statesError } from '../../../src/providers/failures/error-body.ts';

const error = (fields: Record<string, unknown>) => ({ error: { message: 'm', type: null, param: null, code: null, ...fields } });

void suite('T3 · errors in the stream: what no table knows is fatal', () => {
  const busy = [
    { code: 'rate_limit_exceeded' },
    { code: 429 },
    { code: '503' },
    { code: 500, type: 'InternalServerError' },
    { type: 'server_error' },
    { type: 'overloaded_error' },
    { code: 'server_is_overloaded' },
    { status: 'UNAVAILABLE', code: 503 },
  ];
  for (const fields of busy) {
    void test(`busy: ${JSON.stringify(fields)}`, () => {
      assert.deepEqual(failureOfStreamError(readErrorBody(error(fields))).busy, {});
    });
  }
  for (const fields of [{ code: 'invalid_prompt' }, { code: 400 }, { type: 'invalid_request_error' }, { code: 'brand_new' }, {}]) {
    void test(`rejected: ${JSON.stringify(fields)}`, () => {
      assert.equal(failureOfStreamError(readErrorBody(error(fields))).code, 'provider_rejected');
    });
  }
  void test('a quota error is final', () =>
    assert.deepEqual(failureOfStreamError(readErrorBody(error({ code: 'insufficient_quota' }))).busy, { final: true }));

  void test('every form of an error is read', () => {
    const expected = { message: 'm', code: 'c', type: 't' };
    assert.deepEqual(readErrorBody({ error: { message: 'm', code: 'c', type: 't' } }), expected);
    assert.deepEqual(readErrorBody({ message: 'm', code: 'c', type: 't' }), expected);
    assert.deepEqual(readErrorBody([{ error: { message: 'm', code: 'c', type: 't' } }]), expected);
    assert.deepEqual(readErrorBody({ type: 'error', code: 'c', message: 'm', param: null }), { ...expected, type: undefined });
    assert.deepEqual(readErrorBody({ type: 'error', error: { message: 'm', code: 'c', type: 't' } }), expected);
    assert.equal(readErrorBody({ error: 'm' }).message, 'm');
    assert.equal(readErrorBody({ detail: 'm' }).message, 'm');
    for (const nonsense of [null, undefined, 3, 'x', [], [[]], { error: 7 }, { error: { message: {}, code: {} } }]) {
      assert.deepEqual(readErrorBody(nonsense), { message: undefined, code: undefined, type: undefined });
    }
  });
});

void suite('a stated error is one in every form, and classified by its code and its words', () => {
  const rows: readonly (readonly [body: object, code: string, message: string | undefined])[] = [
    [{ error_message: 'Rate limit reached', error_code: 1302 }, 'provider_busy', 'Rate limit reached'],
    [{ errorCode: 'QuotaExceeded', errorMessage: 'Insufficient credits' }, 'provider_busy', 'Insufficient credits'],
    [{ message: 'maximum context length is 8192 tokens' }, 'context_length_exceeded', 'maximum context length is 8192 tokens'],
    [{ detail: 'The server is overloaded' }, 'provider_busy', 'The server is overloaded'],
    [{ detail: [{ loc: ['body'], msg: 'field required' }] }, 'provider_rejected', 'field required'],
    [{ code: 503, msg: 'no free worker' }, 'provider_busy', 'no free worker'],
    [{ base_resp: { status_code: 1008, status_msg: 'insufficient balance' } }, 'provider_busy', 'insufficient balance'],
    [{ errors: [{ message: 'AiError: out of capacity', code: 3040 }] }, 'provider_busy', 'AiError: out of capacity'],
    [{ error: '{"error":{"message":"Too many requests","code":"429"}}' }, 'provider_busy', 'Too many requests'],
    [{ error: true, message: 'Service unavailable' }, 'provider_busy', 'Service unavailable'],
    [
      {
        error: {
          code: 400,
          message: 'Provider returned error',
          metadata: { raw: '{"message":"prompt is too long: 9 tokens > 8 maximum"}' },
        },
      },
      'context_length_exceeded',
      'Provider returned error {"message":"prompt is too long: 9 tokens > 8 maximum"}',
    ],
    [{ error: { code: 'invalid_request_error', message: 'the server is overloaded' } }, 'provider_rejected', 'the server is overloaded'],
    [{ error: { code: 'rate_limit_exceeded', message: 'context window' } }, 'provider_busy', 'context window'],
    [{ object: 'error', message: 'm' }, 'provider_rejected', 'm'],
  ];
  for (const [body, code, message] of rows) {
    void test(`${code}: ${JSON.stringify(body)}`, () => {
      assert.equal(statesError({ ...body }), true);
      const failure = failureOfStreamError(readErrorBody(body));
      assert.deepEqual([failure.code, failure.providerMessage], [code, message]);
    });
  }
  for (const body of [
    {},
    { error: null },
    { error: {} },
    { error: '', choices: [{ delta: {} }] },
    { type: 'ping', message: 'still here' },
    { code: 200, message: 'ok' },
    { base_resp: { status_code: 0, status_msg: 'success' } },
    { choices: [], message: 'a note' },
    { choices: [], prompt_filter_results: [{}] },
    { hello: 'world' },
    { type: 'response.failed', error: { message: 'm' } },
  ]) {
    void test(`no error: ${JSON.stringify(body)}`, () => assert.equal(statesError(body), false));
  }
  void test('plain words are an error where a table knows them', () => {
    assert.equal(failureOfWords('429 Too Many Requests')?.code, 'provider_busy');
    assert.equal(failureOfWords('You exceeded your current quota')?.busy?.final, true);
    assert.equal(failureOfWords('the request exceeds the available context size')?.code, 'context_length_exceeded');
    assert.equal(failureOfWords('hello'), undefined);
    assert.equal(failureOfWords(''), undefined);
  });
});

void suite('an error in the stream that says when to ask again says it as one with a status does', () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const failureOf = (body: object) => datedFailure(failureOfStreamError(readErrorBody(body)), nowMs);
  const busy = { message: 'Rate limit reached', code: 'rate_limit_exceeded' };
  const rows: readonly (readonly [body: object, afterMs: number])[] = [
    [{ type: 'error', ...busy, message: 'Rate limit reached. Please try again in 2m30s.' }, 150_000],
    [{ error_code: 429, error_message: 'Too many requests, retry after 7.66s' }, 7_660],
    [{ error: { ...busy, retry_after: 20 } }, 20_000],
    [{ error: busy, retry_after: '20' }, 20_000],
    [{ error: { ...busy, retry_after_ms: 1_500 } }, 1_500],
    [{ error: { ...busy, metadata: { headers: { 'Retry-After': '61' } } } }, 61_000],
    [{ error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'm', details: [{}, { retryDelay: '34.5s' }] } }, 34_500],
  ];
  for (const [body, afterMs] of rows) {
    void test(JSON.stringify(body), () => {
      const { busy: hint, retryAtMs, message } = failureOf(body);
      assert.deepEqual([hint, retryAtMs], [{ retryAfterMs: afterMs }, nowMs + afterMs]);
      assert.ok(message.endsWith(` It may be asked again at ${new Date(nowMs + afterMs).toISOString()}.`), message);
    });
  }
  void test('a quota says only when it comes back', () => {
    const quota = (retry_after: number) => failureOf({ error: { code: 'insufficient_quota', message: 'm', retry_after } }).retryAtMs;
    assert.deepEqual([quota(longestBusyWaitMs / 1_000), quota(3_600)], [undefined, nowMs + 3_600_000]);
  });
  for (const odd of [null, -1, 'soon', '', {}, 1e300, '2026-01-01']) {
    void test(`no wait: ${JSON.stringify(odd)}`, () => assert.deepEqual(failureOf({ error: { ...busy, retry_after: odd } }).busy, {}));
  }
});
