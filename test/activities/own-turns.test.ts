/** What workflows of somebody's own get of their turns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readResult } from '../../src/activities/own-turns.ts';
import type { TurnResult } from '../../src/workflow.ts';
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

test('an incomplete turn says why it is so, and no other', async () => {
  const because = (status: 'incomplete' | 'cancelled' | 'completed', reason: string | undefined): Store =>
    ({
      readTurn: async () => turnRow({ id: 'resp_a', status, settledAtMs: 1 }),
      readResponse: async () => ({ output: [], incomplete_details: reason === undefined ? null : { reason } }),
    }) as unknown as Store;
  const reasonOf = async (store: Store) => (await readResult({ store }, { turn: 'resp_a' })).incompleteReason;
  assert.equal(await reasonOf(because('incomplete', 'max_output_tokens')), 'max_output_tokens');
  assert.equal(await reasonOf(because('cancelled', 'cancelled')), undefined);
  assert.equal('incompleteReason' in (await readResult({ store: said('hi') }, { turn: 'resp_a' })), false);
  // By type it may be missing: code that was written before it there was compiles as ever.
  const known: TurnResult = { id: 'resp_a', status: 'completed', outputText: '', output: [], usage: null, error: null };
  const reason: string | undefined = known.incompleteReason;
  assert.equal(reason, undefined);
});
