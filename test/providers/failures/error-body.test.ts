import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { readFinishReason } from '../../../src/providers/openai/finish-reason.ts';
import { withoutKeys } from '../../../src/providers/failures/model-failure.ts';
import { inBandFailure, statedError } from '../../../src/providers/failures/error-body.ts';
import { failureOfStatus } from '../../../src/providers/failures/status-failure.ts';

const nowMs = 1_000_000;
const told = (status: number, body: unknown = {}, headers: Record<string, string> = {}) =>
  failureOfStatus({ status, headers: new Headers(headers), bodyText: typeof body === 'string' ? body : JSON.stringify(body), nowMs });
const error = (fields: Record<string, unknown>) => ({ error: { message: 'm', type: null, param: null, code: null, ...fields } });

void suite('T3 · what a status means is a table', () => {
  const table = {
    provider_busy: [408, 409, 429, 500, 502, 503, 504, 520, 529, 599],
    provider_rejected: [300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 407, 410, 413, 421, 422, 426, 451, 499],
  };
  for (const [code, statuses] of Object.entries(table)) {
    void test(`${code}: ${statuses.join(', ')}`, () => {
      for (const status of statuses) assert.equal(told(status).code, code);
    });
  }

  void test('a 500 by which llama.cpp says that its model takes no images is no busy server', () => {
    const stated = error({
      code: 500,
      type: 'server_error',
      message: 'image input is not supported - hint: you may need to provide the mmproj',
    });
    assert.equal(told(500, stated).code, 'provider_rejected');
    assert.equal(inBandFailure(statedError(stated)).code, 'provider_rejected');
  });

  void test('a redirect is rejected by name, and its target told without the query', () => {
    const failure = told(302, '', { location: 'https://elsewhere.test/v1/x?token=secret' });
    assert.equal(failure.detail, 'redirect 302');
    assert.equal(failure.providerMessage, 'The server redirects to https://elsewhere.test/v1/x');
  });
});

void suite('T4 · a busy provider says when, and whether at all', () => {
  void test('retry-after is waited for and told', () => {
    const failure = told(429, error({ code: 'rate_limit_exceeded' }), { 'retry-after': '7' });
    assert.deepEqual(failure.busy, { retryAfterMs: 7_000 });
    assert.equal(failure.retryAtMs, nowMs + 7_000);
    assert.equal(failure.detail, '429 rate_limit_exceeded');
  });
  void test('without a word of it the hint is empty', () => assert.deepEqual(told(503).busy, {}));
  void test('x-should-retry: false is final', () => assert.deepEqual(told(500, {}, { 'x-should-retry': 'false' }).busy, { final: true }));
  void test('x-should-retry: true does not make a rejected request busy', () =>
    assert.equal(told(400, {}, { 'x-should-retry': 'true' }).code, 'provider_rejected'));
  for (const body of [
    error({ code: 'insufficient_quota' }),
    error({ type: 'insufficient_quota' }),
    error({ code: 'billing_hard_limit_reached' }),
    error({ message: 'You exceeded your current quota, please check your plan and billing details.' }),
  ]) {
    void test(`quota is final: ${JSON.stringify(body.error)}`, () => assert.equal(told(429, body).busy?.final, true));
  }
  void test('only a busy provider has a hint', () => assert.equal('busy' in told(400), false));
});

void suite('context_length_exceeded is told by code, or by the usual sentences', () => {
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
      assert.equal(told(400, error({ message })).code, 'context_length_exceeded');
      assert.equal(told(413, error({ message })).code, 'context_length_exceeded');
      assert.equal(inBandFailure(statedError(error({ message }))).code, 'context_length_exceeded');
      assert.equal(told(429, error({ message })).code, 'provider_busy', 'a rate limit may say the same');
    });
  }
  void test('by code under any status', () => {
    assert.equal(told(400, error({ code: 'context_length_exceeded' })).code, 'context_length_exceeded');
    assert.equal(told(500, { error: { code: 500, type: 'exceed_context_size_error', message: 'x' } }).code, 'context_length_exceeded');
  });
});

void suite('in-band errors: what no table knows is fatal (T3)', () => {
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
      assert.deepEqual(inBandFailure(statedError(error(fields))).busy, {});
    });
  }
  for (const fields of [{ code: 'invalid_prompt' }, { code: 400 }, { type: 'invalid_request_error' }, { code: 'brand_new' }, {}]) {
    void test(`rejected: ${JSON.stringify(fields)}`, () => {
      assert.equal(inBandFailure(statedError(error(fields))).code, 'provider_rejected');
    });
  }
  void test('quota is busy for good', () =>
    assert.deepEqual(inBandFailure(statedError(error({ code: 'insufficient_quota' }))).busy, { final: true }));

  void test('every form it comes in is read', () => {
    const expected = { message: 'm', code: 'c', type: 't' };
    assert.deepEqual(statedError({ error: { message: 'm', code: 'c', type: 't' } }), expected);
    assert.deepEqual(statedError({ message: 'm', code: 'c', type: 't' }), expected);
    assert.deepEqual(statedError([{ error: { message: 'm', code: 'c', type: 't' } }]), expected);
    assert.deepEqual(statedError({ type: 'error', code: 'c', message: 'm', param: null }), { ...expected, type: undefined });
    assert.deepEqual(statedError({ type: 'error', error: { message: 'm', code: 'c', type: 't' } }), expected);
    assert.equal(statedError({ error: 'm' }).message, 'm');
    assert.equal(statedError({ detail: 'm' }).message, 'm');
    for (const nonsense of [null, undefined, 3, 'x', [], [[]], { error: 7 }, { error: { message: {}, code: {} } }]) {
      assert.deepEqual(statedError(nonsense), { message: undefined, code: undefined, type: undefined });
    }
  });
});

void suite('T8 · what a finish reason proves is a table', () => {
  const completed = ['stop', 'tool_calls', 'function_call', 'eos', 'eos_token', 'end_turn', 'stop_sequence'];
  void test(`completed: ${completed.join(', ')}`, () => {
    for (const reason of completed) assert.deepEqual(readFinishReason(reason), { proof: { status: 'completed' } });
  });
  void test('incomplete: length, content_filter', () => {
    assert.deepEqual(readFinishReason('length'), { proof: { status: 'incomplete', reason: 'max_output_tokens' } });
    assert.deepEqual(readFinishReason('content_filter'), { proof: { status: 'incomplete', reason: 'content_filter' } });
  });
  const failureOf = (reason: string) => {
    const finish = readFinishReason(reason);
    return 'failure' in finish ? [finish.failure.code, finish.failure.detail] : undefined;
  };
  for (const reason of ['error', 'abort', 'insufficient_system_resource']) {
    void test(`${reason} proves nothing: the server gave up`, () =>
      assert.deepEqual(failureOf(reason), ['provider_busy', `finish_reason=${reason}`]));
  }
  void test('an unknown one is a protocol failure that names it', () =>
    assert.deepEqual(failureOf('because'), ['provider_protocol', 'finish_reason=because']));
  for (const reason of ['constructor', '__proto__', 'a secret prompt', 'sk-abcdef123456']) {
    void test(`T11 · '${reason}' is unknown and, unless it is one word, not repeated`, () => {
      const [code, detail] = failureOf(reason) ?? [];
      assert.equal(code, 'provider_protocol');
      assert.doesNotMatch(detail ?? '', /secret|sk-/);
    });
  }
});

void suite('T11 · keys and bodies are in no error', () => {
  const key = 'sk-proj-SuperSecret123';
  void test('the key, and what looks like one, is taken out of the sentence of the provider', () => {
    const failure = told(401, error({ message: `Incorrect API key provided: ${key}, or sk-abc***xyz9.` }));
    const { providerMessage } = withoutKeys(failure, key);
    assert.equal(providerMessage, 'Incorrect API key provided: [key], or [key].');
  });
  void test('a key of any shape is', () => {
    const { providerMessage } = withoutKeys(told(401, error({ message: 'no such key: hunter2hunter2' })), 'hunter2hunter2');
    assert.equal(providerMessage, 'no such key: [key]');
  });
  void test('the placeholder for no key is no secret', () => {
    assert.equal(withoutKeys(told(401, error({ message: 'none given' })), 'none').providerMessage, 'none given');
  });
  void test('it is 500 characters at most', () => {
    assert.equal(withoutKeys(told(400, error({ message: 'x'.repeat(5_000) })), 'none').providerMessage?.length, 500);
  });
  void test('message and detail hold neither', () => {
    const { message, detail } = told(400, error({ message: 'secret prompt', code: `oops ${key}` }));
    assert.doesNotMatch(`${message} ${detail}`, /secret|SuperSecret/);
  });
  void test('a page is not a sentence', () => assert.equal(told(502, '<html>…</html>').providerMessage, undefined));
});
