import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../../../src/gateway/http/errors.ts';
import { createRateLimit } from '../../../src/gateway/http/rate-limit.ts';

/** `retry-after` of a request that was over the limit, or undefined when it passed. */
function waitOf(limit: (tenant: string) => void, tenant = 'me'): string | undefined {
  try {
    limit(tenant);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.fields.status, error.fields.code], [429, 'rate_limit_exceeded']);
    return error.toResponse().headers.get('retry-after') ?? 'none';
  }
}

test('twice the rate at once, then the rate, with retry-after in whole seconds', () => {
  let nowMs = 5_000;
  const limit = createRateLimit(2, () => nowMs);
  assert.deepEqual(
    Array.from({ length: 6 }, () => waitOf(limit)),
    [undefined, undefined, undefined, undefined, '1', '1'],
  );
  nowMs += 499;
  assert.equal(waitOf(limit), '2');
  nowMs += 1;
  assert.deepEqual([waitOf(limit), waitOf(limit)], [undefined, '2']);
  // A pause fills it up again, no further.
  nowMs += 3_600_000;
  assert.deepEqual(
    Array.from({ length: 5 }, () => waitOf(limit)),
    [undefined, undefined, undefined, undefined, '1'],
  );
});

test('T14 · who is refused is told to come back behind those before: at the rate, and none is sent away for more than 30 s', () => {
  let nowMs = 0;
  const limit = createRateLimit(10, () => nowMs);
  for (let index = 0; index < 20; index += 1) limit('me');
  const waits = Array.from({ length: 32 }, () => waitOf(limit));
  const told = (seconds: string): number => waits.filter((wait) => wait === seconds).length;
  assert.deepEqual([told('1'), told('2'), told('3'), told('4')], [10, 10, 10, 2]);
  for (let index = 0; index < 1_000; index += 1) waitOf(limit);
  assert.equal(waitOf(limit), '30');
  // Whoever has waited passes, whatever was promised to others.
  nowMs += 1_000;
  assert.equal(waitOf(limit), undefined);
  nowMs += 60_000;
  for (let index = 0; index < 20; index += 1) limit('me');
  assert.equal(waitOf(limit), '1');
});

test('one tenant does not use up what another may', () => {
  const limit = createRateLimit(1, () => 0);
  assert.deepEqual([waitOf(limit), waitOf(limit), waitOf(limit)], [undefined, undefined, '1']);
  assert.equal(waitOf(limit, 'you'), undefined);
});

test('0 is no limit', () => {
  const limit = createRateLimit(0, () => 0);
  for (let index = 0; index < 10_000; index += 1) limit('me');
});

test('in no stretch of time does more pass than the rate and the burst, whatever comes when', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 200 }), (perSecond, gaps) => {
      let nowMs = 0;
      const limit = createRateLimit(perSecond, () => nowMs);
      const passedAt: number[] = [];
      for (const gap of gaps) {
        nowMs += gap;
        if (waitOf(limit) === undefined) passedAt.push(nowMs);
      }
      passedAt.forEach((from, first) => {
        passedAt.slice(first).forEach((to, more) => {
          assert.ok(more + 1 <= perSecond * 2 + ((to - from) / 1_000) * perSecond + 1e-6);
        });
      });
    }),
  );
});
