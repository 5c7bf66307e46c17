/** The items of a turn as rows: its input first, from position 0, then its output. Written and read in slices (T14). */
import { compareSpots, cursorBehind, type ItemSpot, type LastOfPage, spotBehind } from '../item-cursor.ts';
import { type InputItem, isCall, type Item } from '../../domain/item.ts';
import type { Page } from '../ports/sessions.ts';
import type { Place } from './chain.ts';
import type { Database, Row } from './database.ts';
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
export function writeItems(db: Database, turn: string, first: number, rows: readonly ItemRow[], place: Place): void {
  rows.forEach(({ id, callId, json }, index) => {
    const [branch, depth] = callId === null ? [null, null] : [place.branch, place.depth];
    db.run(
      'INSERT OR REPLACE INTO items (turn, position, id, call_id, branch, depth, item) VALUES (?, ?, ?, ?, ?, ?, ?)',
      turn,
      first + index,
      id,
      callId,
      branch,
      depth,
      json,
    );
  });
}

/** Behind the input, also where items of it were deleted meanwhile: an answer is no part of the input. */
export function nextPosition(db: Database, turn: string): number {
  const sql = `SELECT max(input_count, coalesce((SELECT max(position) + 1 FROM items WHERE turn = turns.id), 0)) AS next
    FROM turns WHERE id = ?`;
  return Number(db.one(sql, turn)?.['next']);
}

export interface ItemRange {
  readonly order?: Page['order'];
  /** A position: items behind it, in this order. */
  readonly behind?: number;
  /** Items before this position. */
  readonly below?: number;
  readonly limit?: number;
}

const all = Number.MAX_SAFE_INTEGER;

export async function readItems(
  db: Database,
  turn: string,
  pace: Pace,
  { order = 'asc', behind = order === 'asc' ? -1 : all, below = all, limit = all }: ItemRange = {},
): Promise<Item[]> {
  const items: Item[] = [];
  const sql = `SELECT position, item FROM items WHERE turn = ? AND position < ? AND position ${order === 'asc' ? '>' : '<'} ?
    ORDER BY position ${order} LIMIT ?`;
  for (let position = behind, isWhole = false; !isWhole && items.length < limit && !pace.isSpent;) {
    await pace.yieldIfFull();
    isWhole = true;
    db.scan(sql, [turn, below, position, limit - items.length], (row) => {
      const json = text(row['item']);
      items.push(JSON.parse(json) as Item);
      position = Number(row['position']);
      pace.add(json.length);
      isWhole = !pace.slice.isFull && !pace.isSpent;
      return isWhole;
    });
  }
  return items;
}

export async function readInput(db: Database, turn: string, range?: ItemRange, pace = new Pace()): Promise<InputItem[]> {
  const row = inputOf(db, turn);
  if (row === undefined) return [];
  return readItems(db, turn, pace, { ...range, below: Number(row['input_count']) });
}

/** undefined when the page begins behind an item that is not in it. */
export async function readInputPage(db: Database, turn: string, { limit, order, after, maxChars }: Page): Promise<InputItem[] | undefined> {
  const pace = new Pace(maxChars);
  if (after === undefined) return readInput(db, turn, { limit, order }, pace);
  const from = spotBehind(after, order, (id) => inputSpots(db, turn, id));
  return from && readInput(db, turn, { limit, order, behind: from.position }, pace);
}

export function readInputCursor(db: Database, turn: string, { order, after }: Page, last: LastOfPage): string {
  const from = after === undefined ? undefined : spotBehind(after, order, (id) => inputSpots(db, turn, id));
  return cursorBehind(last, inputSpots(db, turn, last.id), order, from);
}

/** All items of an id that came with a turn, in their order. */
function inputSpots(db: Database, turn: string, id: string): readonly ItemSpot[] {
  const sql = 'SELECT position FROM items JOIN turns ON turns.id = turn WHERE items.id = ? AND turn = ? AND position < input_count';
  const rows = db.all(sql, id, turn);
  return rows.map((row) => ({ depth: 0, position: Number(row['position']) })).toSorted(compareSpots);
}

export function readItem(row: Row): Item {
  return parsed<Item>(row['item']);
}

function inputOf(db: Database, turn: string): Row | undefined {
  return db.one('SELECT input_count FROM turns WHERE id = ? AND erased_by IS NULL', turn);
}
