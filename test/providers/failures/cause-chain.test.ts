/** T11: what is kept of the errors behind a failure. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causesOf } from '../../../src/providers/failures/cause-chain.ts';
import { redactKeys } from '../../../src/providers/failures/model-failure.ts';

const key = 'sk-story-0123456789abcdef';

test('the chain is told from the outside in, with the code that a reset really has', () => {
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'SOCKET_RESET' });
  assert.deepEqual(causesOf(new TypeError('fetch failed', { cause: reset })), [
    { name: 'TypeError', message: '' },
    { name: 'Error', code: 'ECONNRESET', message: 'read ECONNRESET' },
  ]);
});

test('T11 · an error without a code may quote what was received: its class alone is kept, but for words that are known', () => {
  const quoting = new SyntaxError('Unexpected token s in "secret words"');
  const told = causesOf(new Error('secret words', { cause: new Error('secret: socket hang up, words', { cause: quoting }) }));
  assert.deepEqual(told, [
    { name: 'Error', message: '' },
    { name: 'Error', message: 'socket hang up' },
    { name: 'SyntaxError', message: '' },
  ]);
});

test('T11 · keys are removed from their words, with those of the provider', () => {
  const causes = causesOf(Object.assign(new Error(`bad header ${key}`), { code: 'ERR_INVALID_CHAR' }));
  const { causes: redacted } = redactKeys({ code: 'provider_rejected', message: 'x', causes }, key);
  assert.deepEqual(redacted, [{ name: 'Error', code: 'ERR_INVALID_CHAR', message: 'bad header [key]' }]);
});

test('a chain of any length, and words of any length, are bounded', () => {
  let error = Object.assign(new Error('y'.repeat(5_000)), { code: 'E0' });
  for (let n = 1; n < 30; n += 1) error = Object.assign(new Error('x', { cause: error }), { code: `E${n}` });
  const told = causesOf(error);
  assert.deepEqual([told.length, told[0]?.code], [8, 'E29']);
  assert.equal(causesOf(Object.assign(new Error('y'.repeat(5_000)), { code: 'E' }))[0]?.message.length, 300);
});
