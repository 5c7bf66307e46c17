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
  const input = { database: 'main', turn: 'resp_a' };
  for (const [character, fits] of [
    ['a', true],
    ['字', false],
  ] as const) {
    const result = readResult({ store: said(character.repeat(450_000)) }, input);
    if (fits) assert.equal((await result).outputText.length, 450_000);
    else await assert.rejects(result, { type: 'result_too_large', nonRetryable: true, message: /27\d{5} bytes/ });
  }
});
