/**
 * Where a page of items goes on. Items that are passed on as they came keep the ids of their providers and clients, so that an id
 * may stand in a list several times: what leads on behind an item is its id only where no item behind it has the same one. Pure.
 */

/** Where an item stands in its list: in which turn, counted from the first, and where in that. */
export interface ItemSpot {
  readonly depth: number;
  readonly position: number;
}

export type ItemOrder = 'asc' | 'desc';

/** The last item of a page: the so many-th of this id in it, 1-based. */
export interface LastOfPage {
  readonly id: string;
  readonly times: number;
}

export function compareSpots(one: ItemSpot, other: ItemSpot): number {
  return one.depth - other.depth || one.position - other.position;
}

const cursorPattern = /^(.+)@(\d{1,15})\.(\d{1,15})$/s;

/** The id of the item that a cursor stands for; undefined: it is none, and may be an id itself. */
export function idOfCursor(cursor: string): string | undefined {
  return cursorPattern.exec(cursor)?.[1];
}

/**
 * The spot that a page begins behind: of an id the last one in the page's order, so that no page begins before where the one
 * before it ended; of a cursor its own. undefined: there is no such item.
 * @param spotsOf all items of an id, in the order of the list
 */
export function spotBehind<T extends ItemSpot>(after: string, order: ItemOrder, spotsOf: (id: string) => readonly T[]): T | undefined {
  const spots = spotsOf(after);
  if (spots.length > 0) return order === 'asc' ? spots.at(-1) : spots[0];
  const [, id, depth, position] = cursorPattern.exec(after) ?? [];
  if (id === undefined) return undefined;
  return spotsOf(id).find((spot) => spot.depth === Number(depth) && spot.position === Number(position));
}

/**
 * The `after` of the page that goes on behind an item: its id, or a place.
 * @param spots all items of its id, in the order of the list. @param from where its page begins; undefined: at the beginning
 */
export function cursorBehind({ id, times }: LastOfPage, spots: readonly ItemSpot[], order: ItemOrder, from?: ItemSpot): string {
  const ordered = order === 'asc' ? spots : spots.toReversed();
  const sign = order === 'asc' ? 1 : -1;
  const behind = from === undefined ? ordered : ordered.filter((spot) => sign * compareSpots(spot, from) > 0);
  const spot = behind[times - 1];
  return spot === undefined || behind.length === times ? id : `${id}@${spot.depth}.${spot.position}`;
}
