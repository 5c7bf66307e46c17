/** What the steps before a step have come to, of the size that an answer may have; and how much of it one result may be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOfOutput } from '../../src/activities/attempt/kept-streams.ts';
import type { OutputItem } from '../../src/domain/item.ts';
import { newWorkerCall } from '../../src/domain/agents/worker-call.ts';
import { chatAnswer } from '../../src/testing/model-server/index.ts';
import { agentScene, called, tool } from './agent-scene.ts';

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

test('T14 · no more is kept of a result than an answer may have, and the model is told so', async () => {
  const read = tool('read', async () => 'x'.repeat(1_500_000));
  const tells = { ...tool('tells', async () => ''), run: async () => ({ type: 'error', message: 'y'.repeat(1_200_000) }) as const };
  const scripts = [called({ id: 'c1', name: 'read', arguments: '{}' }, { id: 'c2', name: 'tells', arguments: '{}' }), chatAnswer('Long.')];
  await using scene = await agentScene({ tools: [read, tells], scripts });
  await scene.step(1);
  assert.deepEqual(await scene.step(2), { type: 'final', turn: { status: 'completed', code: null } });
  for (const [number, [letter, length]] of Object.entries({ 0: ['x', 1_500_000], 1: ['y', 1_200_000] } as const)) {
    const result = await scene.store.readToolResult({ turn: 'resp_a', number: Number(number) }, { offset: 0, limit: 9_999_999 });
    const note = `[This result is cut: it has ${length} characters, and no more of it is kept.]`;
    assert.equal(Buffer.from(result?.bytes ?? []).toString(), `${letter.repeat(1_000_000)}\n\n${note}`);
  }
  const { output } = await scene.response();
  const [whole] = output.flatMap((item) => (item.type === 'mcp_call' ? (item.output ?? []) : []));
  assert.ok(whole?.endsWith('[This result is cut: it has 1500000 characters, and only its first 262144 bytes are shown.]'));
});
