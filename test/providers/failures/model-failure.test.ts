import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { redactKeys } from '../../../src/providers/failures/model-failure.ts';
import { failureOfStatus } from '../../../src/providers/failures/status-failure.ts';

const nowMs = 1_000_000;
const failureOf = (status: number, body: unknown = {}, headers: Record<string, string> = {}) =>
  failureOfStatus({ status, headers: new Headers(headers), bodyText: typeof body === 'string' ? body : JSON.stringify(body), nowMs });
const error = (fields: Record<string, unknown>) => ({ error: { message: 'm', type: null, param: null, code: null, ...fields } });

void suite('T11 · keys and bodies are in no error', () => {
  const key = 'sk-proj-SuperSecret123';
  void test('the key, and what looks like one, is removed from the provider’s sentence', () => {
    const failure = failureOf(401, error({ message: `Incorrect API key provided: ${key}, or sk-abc***xyz9.` }));
    const { providerMessage } = redactKeys(failure, key);
    assert.equal(providerMessage, 'Incorrect API key provided: [key], or [key].');
  });
  void test('a configured key of any shape is removed', () => {
    const { providerMessage } = redactKeys(failureOf(401, error({ message: 'no such key: hunter2hunter2' })), 'hunter2hunter2');
    assert.equal(providerMessage, 'no such key: [key]');
  });
  void test('the placeholder for no key is not removed', () => {
    assert.equal(redactKeys(failureOf(401, error({ message: 'none given' })), 'none').providerMessage, 'none given');
  });
  void test('the sentence is 500 characters at most', () => {
    assert.equal(redactKeys(failureOf(400, error({ message: 'x'.repeat(5_000) })), 'none').providerMessage?.length, 500);
  });
  void test('the sentence is of whole characters, also where it is cut', () => {
    const shortened = redactKeys(failureOf(400, error({ message: `${'x'.repeat(499)}😀` })), 'none').providerMessage;
    assert.equal(shortened, `${'x'.repeat(499)}\ufffd`);
    assert.equal(redactKeys(failureOf(400, error({ message: 'half: \ud83d' })), 'none').providerMessage, 'half: \ufffd');
  });
  void test('message and detail hold neither', () => {
    const { message, detail } = failureOf(400, error({ message: 'secret prompt', code: `oops ${key}` }));
    assert.doesNotMatch(`${message} ${detail}`, /secret|SuperSecret/);
  });
  void test('a page is no sentence', () => assert.equal(failureOf(502, '<html>…</html>').providerMessage, undefined));
});
