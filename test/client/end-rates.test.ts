import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndRates } from '../../src/client/end-rates.ts';
import { countedMs, retryAfterMs } from '../../src/domain/turn/admission.ts';

test('who is refused comes again when as many turns have ended as wait before it, within a second and half a minute', () => {
  assert.equal(retryAfterMs(0, 1), 30_000);
  assert.equal(retryAfterMs(10, 1), 3_000);
  assert.equal(retryAfterMs(10, 4), 12_000);
  assert.equal(retryAfterMs(10, 400), 30_000);
  assert.equal(retryAfterMs(1_000, 1), 1_000);
});

test('the refusals of a second ask the database once for each tenant, and each of them is told to come behind the one before', async () => {
  let nowMs = 0;
  const asked: string[] = [];
  const countEnded = async (tenant: string, withinMs: number): Promise<number> => {
    asked.push(`${tenant} ${withinMs}`);
    return tenant === 'fast' ? 30 : 5;
  };
  const rates = new EndRates({ countEnded }, () => nowMs);
  const refuse = async (tenant: string, times: number): Promise<number[]> =>
    Promise.all(Array.from({ length: times }, () => rates.refuse(tenant)));
  assert.deepEqual(await refuse('fast', 4), [1_000, 2_000, 3_000, 4_000]);
  assert.deepEqual(await refuse('slow', 2), [6_000, 12_000]);
  assert.deepEqual(asked, [`fast ${countedMs}`, `slow ${countedMs}`]);
  nowMs = 1_000;
  assert.deepEqual(await refuse('fast', 1), [1_000]);
  assert.equal(asked.length, 3);
});

test('a database that cannot say it now has them wait the longest', async () => {
  const rates = new EndRates({ countEnded: async () => Promise.reject(new Error('busy')) });
  assert.equal(await rates.refuse('any'), 30_000);
});
