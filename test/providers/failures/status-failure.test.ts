/** The failure of each HTTP status, and of the error in its body. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { failureOfStreamError, readErrorBody } from '../../../src/providers/failures/error-body.ts';
import { failureOfStatus } from '../../../src/providers/failures/status-failure.ts';

const nowMs = 1_000_000;
const failureOf = (status: number, body: unknown = {}, headers: Record<string, string> = {}) =>
  failureOfStatus({ status, headers: new Headers(headers), bodyText: typeof body === 'string' ? body : JSON.stringify(body), nowMs });
const error = (fields: Record<string, unknown>) => ({ error: { message: 'm', type: null, param: null, code: null, ...fields } });

void suite('T3 · a table decides what a status means', () => {
  const table = {
    provider_busy: [408, 409, 429, 500, 502, 503, 504, 520, 529, 599],
    provider_rejected: [300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 407, 410, 413, 421, 422, 426, 451, 499],
  };
  for (const [code, statuses] of Object.entries(table)) {
    void test(`${code}: ${statuses.join(', ')}`, () => {
      for (const status of statuses) assert.equal(failureOf(status).code, code);
    });
  }

  void test('the 500 of llama.cpp for a model that takes no images is no busy server', () => {
    const body = error({
      code: 500,
      type: 'server_error',
      message: 'image input is not supported - hint: you may need to provide the mmproj',
    });
    assert.equal(failureOf(500, body).code, 'provider_rejected');
    assert.equal(failureOfStreamError(readErrorBody(body)).code, 'provider_rejected');
  });

  void test('T11 · the detail has the field that it is about, and not what the client calls it', () => {
    for (const [param, detail] of [
      ['input[2].content[0].image_url', '400 c at input[2]'],
      ['messages.[1].role', '400 c at messages.[1]'],
      ['tools[0].parameters.properties.secret', '400 c at tools[0]'],
      ['model', '400 c at model'],
      ['Secret words', '400 c'],
      ['secret-words', '400 c'],
    ] as const)
      assert.equal(failureOf(400, error({ code: 'c', param })).detail, detail);
  });

  void test('what the error says goes before its status', () => {
    assert.deepEqual(failureOf(400, error({ code: 'rate_limit_exceeded' }), { 'retry-after': '7' }).busy, { retryAfterMs: 7_000 });
    assert.equal(failureOf(403, 'Rate limit exceeded, slow down').code, 'provider_busy');
    assert.equal(failureOf(402, error({ message: 'Insufficient Balance' })).busy?.final, true);
    assert.equal(failureOf(500, error({ code: '400', message: 'litellm.BadRequestError' })).code, 'provider_rejected');
    assert.equal(failureOf(500, error({ message: "This model's maximum context length is 8192 tokens." })).code, 'context_length_exceeded');
    assert.equal(failureOf(401, error({ message: 'Incorrect API key' })).code, 'provider_rejected');
  });

  void test('a redirect is rejected, and its target is in the message without the query', () => {
    const failure = failureOf(302, '', { location: 'https://elsewhere.test/v1/x?token=secret' });
    assert.equal(failure.detail, 'redirect 302');
    assert.equal(failure.providerMessage, 'The server redirects to https://elsewhere.test/v1/x');
  });
});

void suite('T4 · a busy provider says when to ask again, or not to', () => {
  void test('retry-after is the wait, and in the message', () => {
    const failure = failureOf(429, error({ code: 'rate_limit_exceeded' }), { 'retry-after': '7' });
    assert.deepEqual(failure.busy, { retryAfterMs: 7_000 });
    assert.equal(failure.retryAtMs, nowMs + 7_000);
    assert.equal(failure.detail, '429 rate_limit_exceeded');
  });
  void test('without any of that the hint is empty', () => assert.deepEqual(failureOf(503).busy, {}));
  void test('x-should-retry: false is final', () =>
    assert.deepEqual(failureOf(500, {}, { 'x-should-retry': 'false' }).busy, { final: true }));
  void test('x-should-retry: true does not make a rejected request busy', () =>
    assert.equal(failureOf(400, {}, { 'x-should-retry': 'true' }).code, 'provider_rejected'));
  for (const body of [
    error({ code: 'insufficient_quota' }),
    error({ type: 'insufficient_quota' }),
    error({ code: 'billing_hard_limit_reached' }),
    error({ message: 'You exceeded your current quota, please check your plan and billing details.' }),
  ]) {
    void test(`quota is final: ${JSON.stringify(body.error)}`, () => assert.equal(failureOf(429, body).busy?.final, true));
  }
  void test('a used-up quota says so, and nothing of being busy or of a wait', () => {
    const failure = failureOf(429, error({ code: 'insufficient_quota' }), { 'retry-after': '1' });
    assert.equal(failure.message, 'The quota or the credit of the account at the model provider is used up (429 insufficient_quota).');
    assert.deepEqual([failure.busy, failure.retryAtMs], [{ final: true }, undefined]);
    assert.equal(
      failureOfStreamError(readErrorBody(error({ code: 'insufficient_quota' }))).message,
      'The quota or the credit of the account at the model provider is used up (insufficient_quota).',
    );
  });
  void test('a quota that comes back later says when', () => {
    const failure = failureOf(429, error({ code: 'insufficient_quota' }), { 'retry-after': '3600' });
    assert.deepEqual([failure.busy, failure.retryAtMs], [{ final: true }, nowMs + 3_600_000]);
  });
  void test('a wait that only the words state is one', () => {
    const waits: Readonly<Record<string, number>> = {
      '7.66s': 7_660,
      '150ms': 150,
      '2m30s': 150_000,
      '1h2m3.5s': 3_723_500,
      '20 seconds': 20_000,
    };
    for (const [words, retryAfterMs] of Object.entries(waits)) {
      const failure = failureOf(429, error({ message: `Rate limit reached. Please try again in ${words}.` }));
      assert.deepEqual([failure.busy, failure.retryAtMs], [{ retryAfterMs }, nowMs + retryAfterMs], words);
    }
  });
  void test('a limit by the day is final, unless a short wait is stated', () => {
    const message = 'Rate limit reached for m on requests per day (RPD): Limit 200, Used 200.';
    const busy = (more: string) => failureOf(429, error({ message: message + more })).busy;
    assert.deepEqual(busy(''), { final: true });
    assert.deepEqual(busy(' Please try again in 7m12s.'), { final: true });
    assert.deepEqual(busy(' Please try again in 6s.'), { retryAfterMs: 6_000 });
    const flat = readErrorBody({ error_code: 17, error_message: 'Open api daily request limit reached' });
    assert.deepEqual(failureOfStreamError(flat).busy, { final: true });
  });
  void test('only a busy provider has a hint', () => assert.equal('busy' in failureOf(400), false));
});

void suite('context_length_exceeded is recognised by its code, or by the usual sentences', () => {
  const sentences = [
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    'Your input exceeds the context window of this model. Please adjust your input and try again.',
    'the request exceeds the available context size. try increasing the context size or enable context shift',
    'prompt is too long: 210000 tokens > 200000 maximum',
    'Please reduce the length of the messages or completion.',
    'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
  ];
  for (const message of sentences) {
    void test(message, () => {
      assert.equal(failureOf(400, error({ message })).code, 'context_length_exceeded');
      assert.equal(failureOf(413, error({ message })).code, 'context_length_exceeded');
      assert.equal(failureOfStreamError(readErrorBody(error({ message }))).code, 'context_length_exceeded');
      assert.equal(failureOf(429, error({ message })).code, 'provider_busy', 'a rate limit may say the same');
    });
  }
  void test('by code under any status', () => {
    assert.equal(failureOf(400, error({ code: 'context_length_exceeded' })).code, 'context_length_exceeded');
    assert.equal(failureOf(500, { error: { code: 500, type: 'exceed_context_size_error', message: 'x' } }).code, 'context_length_exceeded');
  });
});
