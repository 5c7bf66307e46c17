/** Pages of items whose ids come again and again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PagedItems, readItemPage } from '../../src/client/item-pages.ts';
import { cursorIn, pageOf } from '../store/memory/sessions.ts';

interface Item {
  readonly id: string;
  readonly number: number;
}

function listOf(ids: readonly string[]): PagedItems<Item> {
  const items = ids.map((id, number) => ({ id, number }));
  return {
    read: async (page) => pageOf(items, page),
    readCursor: async (page, last) => cursorIn(items, page, last),
  };
}

async function lengths(ids: readonly string[], limit: number): Promise<readonly (readonly [length: number, cursor: string | undefined])[]> {
  const source = listOf(ids);
  const pages: (readonly [number, string | undefined])[] = [];
  const numbers: number[] = [];
  for (let after: string | undefined, isMore = true; isMore;) {
    const page = await readItemPage(source, { limit, order: 'asc', ...(after === undefined ? {} : { after }) });
    assert.ok(page);
    pages.push([page.items.length, page.cursor]);
    numbers.push(...page.items.map(({ number }) => number));
    ({ cursor: after, hasMore: isMore } = page);
  }
  assert.deepEqual(numbers, [...ids.keys()]);
  return pages;
}

test('T7 · a page ends before an id that comes again, so that the id of its last item leads on', async () => {
  assert.deepEqual(await lengths(['a', 'b', 'x', 'c', 'x'], 3), [
    [2, 'b'],
    [3, 'x'],
  ]);
});

test('T7 · a page of nothing but ids that come again ends behind them', async () => {
  assert.deepEqual(await lengths(['x', 'y', 'a', 'x', 'y'], 1), [
    [3, 'a'],
    [1, 'x'],
    [1, 'y'],
  ]);
});

test('T14 · where no id leads on for long, the page is as long as it was asked for, and its cursor is a place', async () => {
  const ids = Array.from({ length: 150 }, (_, number) => `x${number}`);
  const [first, second] = await lengths([...ids, ...ids], 2);
  assert.deepEqual(
    [first, second],
    [
      [2, 'x1@0.1'],
      [2, 'x3@0.3'],
    ],
  );
});

test('an empty list has one page without a cursor, and one behind what is not there is none', async () => {
  assert.deepEqual(await lengths([], 2), [[0, undefined]]);
  assert.equal(await readItemPage(listOf(['a']), { limit: 2, order: 'asc', after: 'b' }), undefined);
});
