/** The items of a turn as rows: its input first, from position 0, then its output. Written and read in slices (T14). */
import { compareSpots, cursorBehind, idOfCursor, type ItemOrder, type ItemSpot, type LastOfPage, spotBehind } from '../item-cursor.ts';
import { type InputItem, isCall, type Item } from '../../domain/item.ts';
import type { Page } from '../ports/sessions.ts';
import type { Place } from './chain.ts';
import { all, one, run, scan, together, type Row, type SqlDatabase, type Work } from './work.ts';
import { Pace } from '../pace.ts';
import { parsed, text } from './rows.ts';

/** Made outside of any transaction. */
export interface ItemRow {
  readonly id: string;
  readonly callId: string | null;
  readonly json: string;
}

export function itemRowOf(item: Item): ItemRow {
  return itemRowAs(item, JSON.stringify(item));
}

/** @param json the item, as it is to be written */
export function itemRowAs(item: Item, json: string): ItemRow {
  return { id: item.id, callId: isCall(item) ? item.call_id : null, json };
}

/** @param place where calls among them are to be found; a call of an input begins a branch, whatever the depth of its turn */
export function* writeItems(turn: string, first: number, rows: readonly ItemRow[], place: Place): Work<void> {
  const sql = `INSERT INTO items (turn, position, id, call_id, branch, depth, item) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (turn, position) DO UPDATE SET id = excluded.id, call_id = excluded.call_id, branch = excluded.branch,
       depth = excluded.depth, item = excluded.item`;
  yield* together(
    rows.map(({ id, callId, json }, index) => () => {
      const [branch, depth] = callId === null ? [null, null] : [place.branch, place.depth];
      return run(sql, turn, first + index, id, callId, branch, depth, json);
    }),
  );
}

/** Behind the input, also where items of it were deleted meanwhile: an answer is no part of the input. */
export function* nextPosition(turn: string): Work<number> {
  const sql = `SELECT input_count, (SELECT max(position) + 1 FROM items WHERE turn = turns.id) AS behind FROM turns WHERE id = ?`;
  const row = yield* one(sql, turn);
  return Math.max(Number(row?.['input_count']), Number(row?.['behind'] ?? 0));
}

export interface ItemRange {
  readonly order?: Page['order'];
  /** A position: items behind it, in this order. */
  readonly behind?: number;
  /** Items before this position. */
  readonly below?: number;
  readonly limit?: number;
}

const everything = Number.MAX_SAFE_INTEGER;

export async function readItems(
  db: SqlDatabase,
  turn: string,
  pace: Pace,
  { order = 'asc', behind = order === 'asc' ? -1 : everything, below = everything, limit = everything }: ItemRange = {},
): Promise<Item[]> {
  const items: Item[] = [];
  const sql = `SELECT position, item FROM items WHERE turn = ? AND position < ? AND position ${order === 'asc' ? '>' : '<'} ?
    ORDER BY position ${order} LIMIT ?`;
  for (let position = behind, isWhole = false; !isWhole && items.length < limit && !pace.isSpent;) {
    await pace.yieldIfFull();
    isWhole = await db.read(() =>
      scan(sql, [turn, below, position, limit - items.length], (row) => {
        const json = text(row['item']);
        items.push(JSON.parse(json) as Item);
        position = Number(row['position']);
        pace.add(json.length);
        return !pace.slice.isFull && !pace.isSpent;
      }),
    );
  }
  return items;
}

export async function readInput(db: SqlDatabase, turn: string, range?: ItemRange, pace = new Pace()): Promise<InputItem[]> {
  const row = await db.read(() => inputOf(turn));
  if (row === undefined) return [];
  return readItems(db, turn, pace, { ...range, below: Number(row['input_count']) });
}

/** undefined when the page begins behind an item that is not in it. */
export async function readInputPage(
  db: SqlDatabase,
  turn: string,
  { limit, order, after, maxChars }: Page,
): Promise<InputItem[] | undefined> {
  const pace = new Pace(maxChars);
  if (after === undefined) return readInput(db, turn, { limit, order }, pace);
  const from = await db.read(() => findSpot(after, order, (id) => inputSpots(turn, id)));
  return from && readInput(db, turn, { limit, order, behind: from.position }, pace);
}

export function* readInputCursor(turn: string, { order, after }: Page, last: LastOfPage): Work<string> {
  const from = after === undefined ? undefined : yield* findSpot(after, order, (id) => inputSpots(turn, id));
  return cursorBehind(last, yield* inputSpots(turn, last.id), order, from);
}

/** `spotBehind`, with all items of an id asked of the database. */
export function* findSpot<T extends ItemSpot>(
  after: string,
  order: ItemOrder,
  spotsOf: (id: string) => Work<readonly T[]>,
): Work<T | undefined> {
  const spots = new Map([[after, yield* spotsOf(after)]]);
  const id = spots.get(after)?.length === 0 ? idOfCursor(after) : undefined;
  if (id !== undefined) spots.set(id, yield* spotsOf(id));
  return spotBehind(after, order, (each) => spots.get(each) ?? []);
}

/** All items of an id that came with a turn, in their order. */
function* inputSpots(turn: string, id: string): Work<readonly ItemSpot[]> {
  const sql = 'SELECT position FROM items JOIN turns ON turns.id = turn WHERE items.id = ? AND turn = ? AND position < input_count';
  const rows = yield* all(sql, id, turn);
  return rows.map((row) => ({ depth: 0, position: Number(row['position']) })).toSorted(compareSpots);
}

export function readItem(row: Row): Item {
  return parsed<Item>(row['item']);
}

function* inputOf(turn: string): Work<Row | undefined> {
  return yield* one('SELECT input_count FROM turns WHERE id = ? AND erased_by IS NULL', turn);
}
