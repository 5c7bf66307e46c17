/** The body of an export, and what it counts as running. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { bodyOf } from '../../../src/gateway/operator/turn-export.ts';

test('T14 · an export that its client leaves while a piece is being read has ended once, like any other', async () => {
  const read = Promise.withResolvers<void>();
  async function* pieces(): AsyncGenerator<string, void, undefined> {
    yield 'one';
    await read.promise;
    yield 'two';
  }
  let ends = 0;
  const left = bodyOf(pieces(), () => (ends += 1)).getReader();
  assert.equal(Buffer.from((await left.read()).value ?? []).toString(), 'one');
  const next = left.read();
  await nextTurnOfTheLoop();
  const cancelled = left.cancel();
  assert.equal(ends, 1, 'its room is free at once');
  read.resolve();
  await Promise.all([next, cancelled]);
  assert.equal(ends, 1);

  const whole = await new Response(bodyOf(pieces(), () => (ends += 1))).text();
  assert.deepEqual([whole, ends], ['onetwo', 2]);
});
