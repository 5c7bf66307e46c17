/**
 * Pages of items that a client can go on from: by the cursor of the page, and by the id of its last item, as some clients do. Where
 * an id stands several times in a list, a page that ends with it would lead on behind the last of them.
 */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { Page } from '../store/ports/store.ts';
import type { LastOfPage } from '../store/item-cursor.ts';

export interface PagedItems<T> {
  /** undefined when the page begins behind an item that is not in the list. */
  read(page: Page): Promise<readonly T[] | undefined>;
  /** The `after` of the page behind this one, where that ends with this item: its id, or a place where an item behind it has that too. */
  readCursor(page: Page, last: LastOfPage): Promise<string>;
}

export interface ItemPage<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
  /** The `after` of the next page; undefined of an empty one. */
  readonly cursor: string | undefined;
}

/** Items that a page may be longer than it was asked for, to end with one whose id leads on (T14). */
const longestExtension = 100;

/**
 * It ends with an item whose id leads on: before the limit where the page has one, else behind it. Where there is none near, only
 * its cursor does.
 */
export async function readItemPage<T extends { readonly id: string }>(source: PagedItems<T>, page: Page): Promise<ItemPage<T> | undefined> {
  const found = await source.read({ ...page, limit: page.limit + 1 });
  if (found === undefined) return undefined;
  const items = found.slice(0, page.limit);
  const whole = await lastOf(source, page, items);
  if (whole === undefined) return { items, hasMore: false, cursor: undefined };
  // The list is at its end, or the page was cut.
  const isMore = found.length > page.limit || (await source.read({ ...page, limit: 1, after: whole.cursor }))?.length === 1;
  if (!isMore) return { items, hasMore: false, cursor: whole.cursor };
  const asked = new Set<string>();
  for (let end = items.length; end > 0; end -= 1) {
    const cut = items.slice(0, end);
    if (isFirst(asked, cut.at(-1)?.id) && (await leadsOn(source, page, cut))) return pageOf(cut, true);
  }
  const behind = (await source.read({ ...page, limit: longestExtension, after: whole.cursor })) ?? [];
  for (let end = 1; end <= behind.length; end += 1) {
    const longer = [...items, ...behind.slice(0, end)];
    const id = longer.at(-1)?.id ?? '';
    if (behind.slice(end).some((item) => item.id === id) || !(await leadsOn(source, page, longer))) continue;
    const next = await source.read({ ...page, limit: 1, after: id });
    return pageOf(longer, next?.length === 1);
  }
  return { items, hasMore: true, cursor: whole.cursor };
}

function pageOf<T extends { readonly id: string }>(items: readonly T[], hasMore: boolean): ItemPage<T> {
  return { items, hasMore, cursor: items.at(-1)?.id };
}

/** Whether an id is asked about for the first time: of several items of it in a page the last one decides. */
function isFirst(asked: Set<string>, id = ''): boolean {
  if (asked.has(id)) return false;
  asked.add(id);
  return true;
}

async function leadsOn<T extends { readonly id: string }>(source: PagedItems<T>, page: Page, items: readonly T[]): Promise<boolean> {
  // An id may stand in a list very often, each time to be looked at.
  await nextTurnOfTheLoop();
  const last = await lastOf(source, page, items);
  return last !== undefined && last.cursor === last.id;
}

async function lastOf<T extends { readonly id: string }>(
  source: PagedItems<T>,
  page: Page,
  items: readonly T[],
): Promise<{ readonly id: string; readonly cursor: string } | undefined> {
  const id = items.at(-1)?.id;
  if (id === undefined) return undefined;
  const times = items.filter((item) => item.id === id).length;
  return { id, cursor: await source.readCursor(page, { id, times }) };
}
