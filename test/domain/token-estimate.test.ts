/** The estimate of tokens, where nobody counts them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Item } from '../../src/domain/item.ts';
import { estimated } from '../../src/gateway/responses/input-tokens.ts';
import { turnsOfTheLoop } from '../store/commits.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { type Counting, itemTokens, settingsTokens, tokensOf } from '../../src/domain/prompt/token-estimate.ts';

function counted(counting: Counting): number {
  for (;;) {
    const { done, value } = counting.next();
    if (done === true) return value;
    assert.ok(value <= 65_537, `${value} characters at once`);
  }
}

test('a text is estimated by its bytes in UTF-8, a token for four', () => {
  for (const text of ['', 'a', 'abcd', 'abcde', 'naïve café', 'Привет, мир', '東京の天気は', '🙂 and 👩‍👩‍👧', 'half \ud83d']) {
    assert.equal(counted(tokensOf(text)), Math.ceil(Buffer.byteLength(text) / 4), text);
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
    [{ type: 'file_search_call', queries: ['x'.repeat(40), 7, null, ['y']] }, 17],
  ] as never;
  for (const [item, tokens] of rows) {
    assert.equal(
      counted(itemTokens({ id: 'an_id_of_ours', status: 'completed', ...item } as Item)),
      tokens,
      JSON.stringify(item).slice(0, 80),
    );
  }
});

test('instructions, tools and the schema of the answer count too, and nothing of a request without them', () => {
  const settings = defaultSettings('scripted');
  assert.equal(counted(settingsTokens(settings)), 0);
  assert.equal(counted(settingsTokens({ ...settings, instructions: 'x'.repeat(40) })), 10);
  const tool = { type: 'function', name: 'look', description: null, parameters: null, strict: null } as const;
  assert.equal(counted(settingsTokens({ ...settings, tools: [tool] })), Math.ceil(JSON.stringify([tool]).length / 4));
  const format = { type: 'json_schema', name: 'x', description: null, strict: null, schema: { type: 'object' } } as const;
  assert.equal(counted(settingsTokens({ ...settings, text: { format, verbosity: null } })), 5);
});

test('any other value is estimated by its JSON, whatever its length', () => {
  const long = `"\\n🙂ü`.repeat(40_000);
  const values: readonly unknown[] = [
    {},
    [],
    [undefined, null, 1, true],
    { a: undefined, 'ü"': -1.5 },
    { text: long, list: [long, { [long]: 1 }] },
  ];
  for (const value of values) assert.equal(counted(tokensOf(value)), Math.ceil(Buffer.byteLength(JSON.stringify(value)) / 4));
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      if (typeof value === 'string' || value === null) return;
      assert.equal(counted(tokensOf(value)), Math.ceil(Buffer.byteLength(JSON.stringify(value)) / 4));
    }),
  );
});

test('T14 · items of 30 MB leave the event loop to others, in texts and in lists of any kind', async () => {
  const size = 30_000_000;
  const says = (content: unknown): Item =>
    ({ id: 'msg_1', type: 'message', status: 'completed', role: 'user', content }) as unknown as Item;
  const items = {
    text: says([{ type: 'input_text', text: 'x'.repeat(size) }]),
    list: { id: 'x', type: 'other', list: { of: Array.from({ length: 50_000 }, () => 'x'.repeat(size / 50_000)) } } as unknown as Item,
  };
  for (const [what, item] of Object.entries(items)) {
    let tokens = 0;
    const turns = await turnsOfTheLoop(async () => {
      tokens = await estimated({ settings: defaultSettings('scripted'), items: [item] });
    });
    assert.ok(turns >= Math.floor(size / 262_144), `${what}: ${turns}`);
    assert.ok(tokens >= size / 4);
  }
});
