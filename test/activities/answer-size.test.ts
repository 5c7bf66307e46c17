/** What the steps before a step have come to, of the size that an answer may have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOfOutput } from '../../src/activities/attempt/kept-streams.ts';
import type { OutputItem } from '../../src/domain/item.ts';
import { newWorkerCall } from '../../src/domain/agents/worker-call.ts';

function callOf(index: number): OutputItem {
  const origin = { call_id: `c${index}`, step: 1 };
  return newWorkerCall('resp_a', index, { serverLabel: 'files', name: 'lesen_ä', arguments: '{}', origin });
}

test('T14 · the answer of the steps before counts as it is stored, in bytes: of a turn that has none it is nothing', () => {
  const output = [callOf(0), callOf(1)];
  assert.equal(bytesOfOutput([]), 0);
  assert.equal(bytesOfOutput(output), Buffer.byteLength(JSON.stringify(output)) - 1);
});

test('T14 · each item of an answer is measured once, however many steps follow', () => {
  let told = 0;
  const item = Object.assign(callOf(0), {
    toJSON: () => {
      told += 1;
      return 'x';
    },
  });
  assert.deepEqual(
    [1, 2, 3].map(() => bytesOfOutput([item])),
    [4, 4, 4],
  );
  assert.equal(told, 1);
});
