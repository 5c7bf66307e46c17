/** The estimate of tokens, where nobody counts them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Item } from '../../src/domain/item.ts';
import { defaultSettings } from '../../src/domain/response-settings.ts';
import { itemTokens, settingsTokens, textTokens } from '../../src/domain/token-estimate.ts';

test('a text is estimated by its bytes in UTF-8, a token for four', () => {
  for (const text of ['', 'a', 'abcd', 'abcde', 'naïve café', 'Привет, мир', '東京の天気は', '🙂 and 👩‍👩‍👧', 'half \ud83d']) {
    assert.equal(textTokens(text), Math.ceil(Buffer.byteLength(text) / 4), text);
  }
});

test('an item is estimated by what the model reads of it', () => {
  const rows: readonly (readonly [Omit<Item, 'id' | 'status'>, number])[] = [
    [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'x'.repeat(40) }] }, 14],
    [{ type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'x'.repeat(8) }] }, 6],
    [{ type: 'function_call', call_id: 'c'.repeat(4), name: 'look', arguments: 'x'.repeat(40) }, 16],
    [{ type: 'function_call_output', call_id: 'c'.repeat(4), output: 'x'.repeat(40) }, 15],
    [{ type: 'function_call_output', call_id: 'c'.repeat(4), output: [{ type: 'input_text', text: 'x'.repeat(40) }] }, 15],
    [{ type: 'reasoning', summary: [{ type: 'summary_text', text: 'x'.repeat(40) }] }, 14],
    [{ type: 'message', role: 'user', content: [{ type: 'input_image', detail: 'low', image_url: 'x'.repeat(9_999) }] }, 89],
    [{ type: 'message', role: 'user', content: [{ type: 'input_image', detail: 'auto', file_id: 'file_1' }] }, 769],
    [{ type: 'message', role: 'user', content: [{ type: 'input_file', file_data: 'x'.repeat(9_999) }] }, 2_004],
  ] as never;
  for (const [item, tokens] of rows) {
    assert.equal(itemTokens({ id: 'an_id_of_ours', status: 'completed', ...item } as Item), tokens, JSON.stringify(item).slice(0, 80));
  }
});

test('instructions, tools and the schema of the answer count too, and nothing of a request without them', () => {
  const settings = defaultSettings('scripted');
  assert.equal(settingsTokens(settings), 0);
  assert.equal(settingsTokens({ ...settings, instructions: 'x'.repeat(40) }), 10);
  const tool = { type: 'function', name: 'look', description: null, parameters: null, strict: null } as const;
  assert.equal(settingsTokens({ ...settings, tools: [tool] }), Math.ceil(JSON.stringify([tool]).length / 4));
  const format = { type: 'json_schema', name: 'x', description: null, strict: null, schema: { type: 'object' } } as const;
  assert.equal(settingsTokens({ ...settings, text: { format, verbosity: null } }), 5);
});
