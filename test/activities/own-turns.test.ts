/** What workflows of somebody's own get of their turns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readResult } from '../../src/activities/own-turns.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { turnRow } from '../support/turn-row.ts';

/** A turn that has ended, and said this. */
function said(text: string): Store {
  const row = turnRow({ id: 'resp_a', status: 'completed', settledAtMs: 1 });
  const output = [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] }];
  return { readTurn: async () => row, readResponse: async () => ({ output }) } as unknown as Store;
}

test('an answer is too long for a history by its bytes, whatever its characters', async () => {
  const input = { turn: 'resp_a' };
  for (const [character, fits] of [
    ['a', true],
    ['字', false],
  ] as const) {
    const result = readResult({ store: said(character.repeat(450_000)) }, input);
    if (fits) assert.equal((await result).outputText.length, 450_000);
    else await assert.rejects(result, { type: 'result_too_large', nonRetryable: true, message: /27\d{5} bytes/ });
  }
});

test('an answer that is not to be stored is acknowledged once its workflow gets it, and one that is stays as it is', async () => {
  const acknowledged: string[] = [];
  const acknowledge = async (turn: string) => acknowledged.push(turn) > 0;
  for (const isStored of [true, false]) {
    const id = isStored ? 'resp_kept' : 'resp_passing';
    const row = turnRow({ id, status: 'completed', settledAtMs: 1, isStored });
    const store = { ...said('hi'), readTurn: async () => row, acknowledge } as unknown as Store;
    assert.equal((await readResult({ store }, { turn: id })).outputText, 'hi');
  }
  assert.deepEqual(acknowledged, ['resp_passing']);
});
