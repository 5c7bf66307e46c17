/** Items: those of a session (the chain that ends in its leaf), a page at a time; put in or taken out by hand; found by id. */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { Item } from '../../domain/item.ts';
import type { SessionRow } from '../../domain/turn/session.ts';
import type { FoundItem, ItemsTurn, Page } from '../ports/sessions.ts';
import { type Place, placeBehind, placeIn, placeOf, stretches } from './chain.ts';
import { all, lockSession, one, run, type SqlDatabase, type Work } from './work.ts';
import { findSpot, itemRowOf, readItem, readItems, writeItems } from './item-rows.ts';
import { compareSpots, cursorBehind, type LastOfPage } from '../item-cursor.ts';
import { Pace } from '../pace.ts';
import { text, textOrNull } from './rows.ts';
import { insertSession, readSession, useSession } from './sessions.ts';

interface ItemPlace extends Place {
  readonly turn: string;
  /** In its turn. */
  readonly position: number;
}

interface PlacedItem extends ItemPlace {
  readonly item: Item;
}

/** Turns of a stretch that are looked at at once. */
const turnsAtOnce = 100;

/** undefined when the page begins behind an item that is not in the session. */
export async function readSessionItems(
  db: SqlDatabase,
  session: SessionRow,
  { limit, order, after, maxChars }: Page,
): Promise<Item[] | undefined> {
  const leaf = await db.read(() => leafOf(session));
  const cursor = after === undefined ? undefined : await db.read(() => findSpot(after, order, (id) => placesOf(session, id)));
  if (after !== undefined && cursor === undefined) return undefined;
  if (leaf === undefined) return [];
  const pace = new Pace(maxChars);
  const items = cursor === undefined ? [] : await readItems(db, cursor.turn, pace, { order, limit, behind: cursor.position });
  const chain = await db.read(() => stretches(leaf));
  const [than, first] = order === 'asc' ? ['>', -1] : ['<', Number.MAX_SAFE_INTEGER];
  const sql = `SELECT id, depth FROM turns WHERE branch = ? AND depth <= ? AND depth ${than} ? AND stored = 1 ORDER BY depth ${order} LIMIT ?`;
  for (const { branch, upTo } of order === 'asc' ? chain : chain.toReversed()) {
    for (let depth = cursor?.depth ?? first, isWhole = false; !isWhole && items.length < limit && !pace.isSpent;) {
      const turns = await db.read(() => all(sql, branch, upTo, depth, turnsAtOnce));
      for (const turn of turns) {
        if (items.length === limit || pace.isSpent) break;
        items.push(...(await readItems(db, text(turn['id']), pace, { order, limit: limit - items.length })));
        depth = Number(turn['depth']);
      }
      isWhole = turns.length < turnsAtOnce;
    }
  }
  return items;
}

export function* readSessionCursor(session: SessionRow, { order, after }: Page, last: LastOfPage): Work<string> {
  const from = after === undefined ? undefined : yield* findSpot(after, order, (id) => placesOf(session, id));
  return cursorBehind(last, yield* placesOf(session, last.id), order, from);
}

export function* readSessionItem(session: SessionRow, id: string): Work<Item | undefined> {
  return (yield* find(session, id))?.item;
}

/** Many calls may be asked for, each of which is a look at an index for each stretch of the chain. */
const looksAtOnce = 1_000;

export async function findUnknownCall(
  db: SqlDatabase,
  tenant: string,
  leaf: string,
  callIds: readonly string[],
): Promise<string | undefined> {
  const place = placeIn(await db.read(() => one('SELECT branch, depth FROM turns WHERE id = ? AND tenant = ?', leaf, tenant)));
  if (place === undefined) return callIds[0];
  const newestFirst = (await db.read(() => stretches(place))).toReversed();
  const sql = 'SELECT 1 FROM items WHERE branch = ? AND call_id = ? AND depth <= ? LIMIT 1';
  let looks = 0;
  for (const callId of callIds) {
    const isKnown = await db.read(function* () {
      for (const { branch, upTo } of newestFirst) {
        looks += 1;
        if ((yield* one(sql, branch, callId, upTo)) !== undefined) return true;
      }
      return false;
    });
    if (!isKnown) return callId;
    if (looks < looksAtOnce) continue;
    looks = 0;
    await nextTurnOfTheLoop();
  }
  return undefined;
}

/** Those of the tenant's items that have one of these ids, wherever they stand. */
export async function findItems(
  db: SqlDatabase,
  tenant: string,
  ids: readonly string[],
  maxChars: number,
): Promise<Map<string, FoundItem> | undefined> {
  const found = new Map<string, FoundItem>();
  const pace = new Pace();
  const uses = new Map<string, number>();
  for (const id of ids) uses.set(id, (uses.get(id) ?? 0) + 1);
  let chars = 0;
  for (const [id, times] of uses) {
    await pace.yieldIfFull();
    const row = await db.read(() =>
      one(
        'SELECT item, model FROM items JOIN turns ON turns.id = turn WHERE items.id = ? AND tenant = ? AND stored = 1 ORDER BY items.rowid DESC LIMIT 1',
        id,
        tenant,
      ),
    );
    const size = row === undefined ? 0 : text(row['item']).length;
    chars += size * times;
    if (chars > maxChars) return undefined;
    pace.add(size);
    if (row !== undefined) found.set(id, { item: readItem(row), model: textOrNull(row['model']) });
  }
  return found;
}

/** Puts items into a session by hand: a turn without a model call. undefined when there is no such session. */
export async function addItems(db: SqlDatabase, turn: ItemsTurn): Promise<readonly Item[] | undefined> {
  const rows = turn.items.map(itemRowOf);
  return db.commit('durable', function* () {
    yield* lockSession(turn.session);
    if (turn.creates !== undefined && !(yield* insertSession(turn.creates))) return undefined;
    const session = yield* readSession(turn.tenant, turn.session);
    if (session === undefined) return undefined;
    if (rows.length === 0) return turn.items;
    const before = session.leaf === null ? undefined : yield* placeOf(session.leaf);
    const place = yield* placeBehind(
      turn.id,
      before,
      rows.some(({ callId }) => callId !== null),
    );
    yield* run(
      `INSERT INTO turns (id, kind, tenant, session, previous, branch, depth, model, status, body_hash, created_at, ready_at,
         dispatched, acknowledged, settled_at) VALUES (?, 'items', ?, ?, ?, ?, ?, ?, 'completed', '', ?, ?, 1, 1, ?)`,
      turn.id,
      turn.tenant,
      turn.session,
      session.leaf,
      place.branch,
      place.depth,
      turn.model ?? null,
      turn.createdAtMs,
      turn.createdAtMs,
      turn.createdAtMs,
    );
    yield* writeItems(turn.id, 0, rows, place);
    yield* useSession(turn.session, { atMs: turn.createdAtMs, leaf: turn.id });
    return turn.items;
  });
}

/** Deleted in one commit. */
const deletesAtOnce = 500;

/** All of this id: who asks for it afterwards finds none. */
export async function deleteSessionItem(db: SqlDatabase, session: SessionRow, id: string): Promise<boolean> {
  for (let deleted = 0; ;) {
    const found = await db.commit('durable', function* () {
      const places = (yield* placesOf(session, id)).slice(0, deletesAtOnce);
      for (const { turn, position } of places) {
        yield* run('DELETE FROM items WHERE turn = ? AND position = ?', turn, position);
        yield* run('DELETE FROM hidden_reasoning WHERE turn = ? AND item = ?', turn, id);
      }
      return places.length;
    });
    deleted += found;
    if (found < deletesAtOnce) return deleted > 0;
  }
}

/** An item that is passed on as it came keeps the id of its provider or its client, so there may be several: the last one. */
function* find(session: SessionRow, id: string): Work<PlacedItem | undefined> {
  const found = (yield* placesOf(session, id)).at(-1);
  const row = found && (yield* one('SELECT item FROM items WHERE turn = ? AND position = ?', found.turn, found.position));
  return found && row && { ...found, item: readItem(row) };
}

export function* readTurnsOfItems(session: SessionRow, ids: readonly string[]): Work<Map<string, string>> {
  const leaf = yield* leafOf(session);
  if (leaf === undefined) return new Map();
  const chain = yield* chainOf(leaf);
  const sql = `SELECT items.id, coalesce(public_id, turns.id) AS turn, turns.branch, turns.depth FROM items JOIN turns ON turns.id = turn
    WHERE items.id IN (SELECT value FROM json_each(?)) AND tenant = ? AND stored = 1 AND kind = 'response' ORDER BY turns.depth`;
  const rows = (yield* all(sql, JSON.stringify(ids), session.tenant)).filter((row) => isOn(chain, placeIn(row)));
  return new Map(rows.map((row) => [text(row['id']), text(row['turn'])]));
}

/** By branch: up to which depth of it the chain goes that ends in `leaf`. */
function* chainOf(leaf: Place): Work<ReadonlyMap<string, number>> {
  return new Map((yield* stretches(leaf)).map(({ branch, upTo }) => [branch, upTo]));
}

function isOn(chain: ReadonlyMap<string, number>, place: Place | undefined): boolean {
  return place !== undefined && place.depth <= (chain.get(place.branch) ?? -1);
}

/** In the order of the session. */
function* placesOf(session: SessionRow, id: string): Work<readonly ItemPlace[]> {
  const leaf = yield* leafOf(session);
  if (leaf === undefined) return [];
  const chain = yield* chainOf(leaf);
  const rows = yield* all(
    `SELECT turn, turns.branch, turns.depth, position FROM items JOIN turns ON turns.id = turn
     WHERE items.id = ? AND tenant = ? AND stored = 1 AND turns.branch IN (SELECT value FROM json_each(?))`,
    id,
    session.tenant,
    JSON.stringify([...chain.keys()]),
  );
  const found = rows.flatMap((row): ItemPlace[] => {
    const place = placeIn(row);
    if (place === undefined || !isOn(chain, place)) return [];
    return [{ ...place, turn: text(row['turn']), position: Number(row['position']) }];
  });
  return found.toSorted(compareSpots);
}

function* leafOf(session: SessionRow): Work<Place | undefined> {
  return session.leaf === null ? undefined : yield* placeOf(session.leaf);
}
