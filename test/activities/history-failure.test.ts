/** T11 · what becomes of an error that an activity did not foresee, before Temporal has it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompleteAsyncError } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { withoutForeignWords } from '../../src/activities/history-failure.ts';

const words = 'secret words sk-foreign-0123456789 /home/x/turnkeep.db';

class OddError extends Error {}
Object.defineProperty(OddError, 'name', { value: words });

const abort = new DOMException(words, 'AbortError');

/** What an activity that rejects with this ends in, and what was logged. */
async function endOf(thrown: unknown, environment = new MockActivityEnvironment()): Promise<{ end: unknown; logged: unknown[] }> {
  const logged: unknown[] = [];
  const activity = (): Promise<unknown> =>
    withoutForeignWords(
      (error) => logged.push(error),
      () => Promise.reject(thrown),
    );
  // Caught inside: the environment itself would log it.
  const end: unknown = await environment.run(() => activity().catch((error: unknown) => error));
  return { end, logged };
}

for (const [what, thrown, code, type] of [
  ['an error with a code', Object.assign(new RangeError(words), { code: 'ENOENT' }), ' (ENOENT)', 'RangeError'],
  ['an error with a cause', new TypeError(words, { cause: new Error(words) }), '', 'TypeError'],
  ['a code that is a sentence', Object.assign(new Error(words), { code: words }), '', 'Error'],
  ['a class whose name is a sentence', new OddError(words), '', 'Error'],
  ['what is no error', words, '', 'Error'],
  ['nothing', undefined, '', 'Error'],
  ['an abort that Temporal did not ask for', abort, '', 'DOMException'],
] as const) {
  test(`T11 · ${what} becomes a failure that may be retried, in constant words`, async () => {
    const { end, logged } = await endOf(thrown);
    assert.ok(end instanceof ApplicationFailure);
    assert.deepEqual(
      [end.message, end.type, end.nonRetryable, end.stack, end.cause, end.details],
      [`an error of our own${code}: the worker's log has it`, type, false, '', undefined, []],
    );
    assert.deepEqual(logged, [thrown]);
  });
}

for (const thrown of [
  ApplicationFailure.nonRetryable('a reason', 'provider_busy'),
  new CancelledFailure('cancel'),
  new CompleteAsyncError(),
]) {
  test(`what is meant for Temporal passes as it is: ${thrown.name}`, async () => {
    assert.deepEqual(await endOf(thrown), { end: thrown, logged: [] });
  });
}

test('the abort of an activity that Temporal cancels passes as it is: the SDK makes a failure without words of it', async () => {
  const environment = new MockActivityEnvironment();
  environment.cancel('CANCELLED');
  assert.deepEqual(await endOf(abort, environment), { end: abort, logged: [] });
});
