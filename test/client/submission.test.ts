/** The ids that the items of a submission get. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerOf, resolveItems, type SubmittedItem, withNewIds } from '../../src/client/submission.ts';
import type { Item, NewItem } from '../../src/domain/item.ts';

const search = (id: string, n: number): Item => ({ type: 'web_search_call', status: 'completed', n, id }) as Item;

test('an item keeps the id that it came with, and no two items of an input have the same', () => {
  const input: Item[] = [search('ws_0', 0), search('b', 1), search('ws_0', 2)];
  const reference: SubmittedItem = { type: 'item_reference', id: 'b' };
  const items = resolveItems([...(input as SubmittedItem[]), reference], {
    items: new Map([['b', { item: search('b', 1), model: null }]]),
    models: new Map(),
    asked: 'm',
  });
  assert.ok(!('type' in items));
  for (const ids of [items.map(({ id }) => id), withNewIds(input as NewItem[]).map(({ id }) => id)]) {
    assert.deepEqual(ids.slice(0, 2), ['ws_0', 'b']);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids.slice(2)) assert.match(id, /^item_/);
  }
});

test('T13 · what a model has sealed or signed is left out for another one, where it is known which one it was', () => {
  const thought = { type: 'reasoning', status: 'completed', summary: [], encrypted_content: 'E' } as const;
  const call = { type: 'function_call', status: 'completed', call_id: 'c', name: 'look', arguments: '{}' } as const;
  const signed = { ...call, provider_fields: { signature: 's' } };
  const { encrypted_content: _sealed, ...plain } = thought;
  for (const [asked, kept] of [
    ['m', [thought, signed, thought]],
    ['other', [plain, call, plain]],
  ] as const) {
    const input: SubmittedItem[] = [
      { ...thought, [answerOf]: 'resp_a' },
      { ...signed, [answerOf]: 'resp_a' },
      { type: 'item_reference', id: 'rs_1' },
    ];
    const of = (model: string | null) => ({ items: new Map([['rs_1', { item: { ...thought, id: 'rs_1' }, model }]]), asked });
    const made = (known: Parameters<typeof resolveItems>[1]): unknown[] => {
      const items = resolveItems(input, known);
      assert.ok(!('type' in items));
      return items.map(({ id: _id, ...rest }) => rest);
    };
    assert.deepEqual(made({ ...of('m'), models: new Map([['resp_a', 'm']]) }), kept);
    assert.deepEqual(made({ ...of(null), models: new Map() }), [thought, signed, thought], 'unknown: as it came');
  }
});
