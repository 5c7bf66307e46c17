/** Errors that arrive in the stream, in each form that providers send. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { failureOfStreamError, readErrorBody } from '../../../src/providers/failures/error-body.ts';

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
