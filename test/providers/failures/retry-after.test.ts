import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterMs } from '../../../src/providers/failures/retry-after.ts';
import { failureOfStatus } from '../../../src/providers/failures/status-failure.ts';

const nowMs = Date.parse('Sun, 06 Nov 1994 08:49:37 GMT');
const table: readonly (readonly [Record<string, string>, number | undefined])[] = [
  [{}, undefined],
  [{ 'retry-after': '2' }, 2_000],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': '0.25' }, 250],
  [{ 'retry-after': ' 3 ' }, 3_000],
  [{ 'retry-after': '-5' }, undefined],
  [{ 'retry-after-ms': '1500' }, 1_500],
  [{ 'retry-after-ms': '12.7' }, 13],
  [{ 'retry-after-ms': '100', 'retry-after': '9' }, 100],
  [{ 'retry-after-ms': 'soon', 'retry-after': '9' }, 9_000],
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:49:47 GMT' }, 10_000],
  [{ 'retry-after': 'Sunday, 06-Nov-94 08:49:47 GMT' }, 10_000],
  [{ 'retry-after': 'Sun Nov  6 08:49:47 1994' }, 10_000],
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:49:30 GMT' }, 0],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': '' }, undefined],
  [{ 'retry-after': 'NaN' }, undefined],
  [{ 'retry-after': '1e3' }, undefined],
  [{ 'retry-after': '2024' }, 2_024_000],
  [{ 'retry-after': '9'.repeat(400) }, 365 * 24 * 3_600_000],
];

for (const [headers, expected] of table) {
  void test(`T4 · ${JSON.stringify(headers).slice(0, 60)} asks for ${expected === undefined ? 'nothing' : `${expected} ms`}`, () => {
    assert.equal(retryAfterMs(new Headers(headers), nowMs), expected);
  });
}

void test('T4 · when to ask again is in the message too', () => {
  const failure = failureOfStatus({ status: 429, headers: new Headers({ 'retry-after': '61' }), bodyText: '', nowMs });
  assert.equal(failure.message, 'The model provider is busy (429). It may be asked again at 1994-11-06T08:50:38.000Z.');
});
