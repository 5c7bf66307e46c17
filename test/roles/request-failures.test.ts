/** What of failed requests is logged, and how often. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { z } from 'zod';
import { requestFailures } from '../../src/roles/request-failures.ts';
import { StoreBusyError } from '../../src/store/ports/store.ts';

const line = z.object({ msg: z.string(), requestId: z.string(), requests: z.number().optional(), err: z.object({ message: z.string() }) });

test('T14 · while the database is away its failed requests are a line at once and one every five seconds, and others a line each', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: (readonly [string, string, number | undefined])[] = [];
  const write = (text: string): void => {
    const { msg, requestId, requests } = line.parse(JSON.parse(text));
    lines.push([msg, requestId, requests]);
  };
  const failed = requestFailures(pino({}, { write }));
  const busy = new StoreBusyError('connect ECONNREFUSED');
  const told = (): typeof lines => lines.splice(0);

  for (let at = 1; at <= 300; at += 1) failed(busy, `req_${at}`);
  failed(new Error('a fault of ours'), 'req_fault');
  assert.deepEqual(told(), [
    ['request failed', 'req_1', undefined],
    ['request failed', 'req_fault', undefined],
  ]);
  t.mock.timers.tick(5_000);
  assert.deepEqual(told(), [['requests failed', 'req_300', 299]]);

  failed(busy, 'req_301');
  t.mock.timers.tick(5_000);
  assert.deepEqual(told(), [['requests failed', 'req_301', 1]]);

  t.mock.timers.tick(5_000);
  assert.deepEqual(told(), [], 'it is back');
  t.mock.timers.tick(60_000);
  failed(busy, 'req_302');
  assert.deepEqual(told(), [['request failed', 'req_302', undefined]], 'it is away again');
});
