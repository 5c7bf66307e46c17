/** The ids that the items of a submission get. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveReferences, type SubmittedItem, withNewIds } from '../../src/client/submission.ts';
import type { Item, NewItem } from '../../src/domain/item.ts';

const search = (id: string, n: number): Item => ({ type: 'web_search_call', status: 'completed', n, id }) as Item;

test('an item keeps the id that it came with, and no two items of an input have the same', () => {
  const input: Item[] = [search('ws_0', 0), search('b', 1), search('ws_0', 2)];
  const reference: SubmittedItem = { type: 'item_reference', id: 'b' };
  const items = resolveReferences([...(input as SubmittedItem[]), reference], new Map([['b', search('b', 1)]]));
  assert.ok(!('type' in items));
  for (const ids of [items.map(({ id }) => id), withNewIds(input as NewItem[]).map(({ id }) => id)]) {
    assert.deepEqual(ids.slice(0, 2), ['ws_0', 'b']);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids.slice(2)) assert.match(id, /^item_/);
  }
});
