/** Items: those of a session (the chain that ends in its leaf), a page at a time; put in or taken out by hand; found by id. */
import type { Item } from '../../domain/item.ts';
import { defaultSettings } from '../../domain/response-settings.ts';
import type { SessionRow } from '../../domain/session.ts';
import type { ItemsTurn, Page } from '../ports/sessions.ts';
import { isOnChain, place, placeOf, type Place, stretches } from './chain.ts';
import type { Database } from './database.ts';
import { parsed, text } from './rows.ts';
import { insertSession, readSession, touchSession } from './sessions.ts';
import { insertItems } from './transcript.ts';

interface FoundItem extends Place {
  readonly turn: string;
  /** In its turn. */
  readonly position: number;
  readonly item: Item;
}

/** undefined when the page begins behind an item that is not in the session. */
export function readSessionItems(db: Database, session: SessionRow, { limit, order, after }: Page): Item[] | undefined {
  const leaf = leafOf(db, session);
  const cursor = after === undefined ? undefined : find(db, session, after);
  if (after !== undefined && cursor === undefined) return undefined;
  if (leaf === undefined) return [];
  const [than, direction] = order === 'asc' ? ['>', 'ASC'] : ['<', 'DESC'];
  const all = stretches(db, leaf);
  const items: Item[] = [];
  for (const { branch, upTo } of order === 'asc' ? all : all.toReversed()) {
    if (items.length === limit) break;
    // The place in the index to begin at, then what of that turn has been read.
    const behind = cursor === undefined ? '' : `AND depth ${than}= ? AND (depth, position) ${than} (?, ?)`;
    const from = cursor === undefined ? [] : [cursor.depth, cursor.depth, cursor.position];
    const sql = `SELECT item FROM turns JOIN items ON items.turn = turns.id WHERE branch = ? AND depth <= ? ${behind}
      ORDER BY depth ${direction}, position ${direction} LIMIT ?`;
    for (const row of db.all(sql, branch, upTo, ...from, limit - items.length)) items.push(parsed(row['item']));
  }
  return items;
}

export function readSessionItem(db: Database, session: SessionRow, id: string): Item | undefined {
  return find(db, session, id)?.item;
}

export function hasCall(db: Database, leafTurn: string, callId: string): boolean {
  const leaf = placeOf(db, leafTurn);
  if (leaf === undefined) return false;
  return db
    .all(`SELECT branch, depth FROM items JOIN turns ON turns.id = items.turn WHERE call_id = ?`, callId)
    .some((row) => row['branch'] !== null && isOnChain(db, leaf, { branch: text(row['branch']), depth: Number(row['depth']) }));
}

/** Those of the tenant's items that have one of these ids, wherever they stand. */
export function findItems(db: Database, tenant: string, ids: readonly string[]): Map<string, Item> {
  const found = new Map<string, Item>();
  for (const id of new Set(ids)) {
    const row = db.one('SELECT item FROM items JOIN turns ON turns.id = items.turn WHERE items.id = ? AND tenant = ?', id, tenant);
    if (row !== undefined) found.set(id, parsed(row['item']));
  }
  return found;
}

/** Puts items into a session by hand: a turn without a model call. undefined when there is no such session. */
export function addItems(db: Database, turn: ItemsTurn): readonly Item[] | undefined {
  return db.commit('durable', () => {
    if (turn.creates !== undefined) insertSession(db, turn.creates);
    const session = readSession(db, turn.tenant, turn.session);
    if (session === undefined) return undefined;
    if (turn.items.length === 0) return turn.items;
    db.run(
      `INSERT INTO turns (id, kind, tenant, session, previous, status, settings, input, body_hash, created_at, dispatched, recorded, acknowledged, settled_at)
       VALUES (?, 'items', ?, ?, ?, 'completed', ?, '[]', '', ?, 1, 1, 1, ?)`,
      turn.id,
      turn.tenant,
      turn.session,
      session.leaf,
      JSON.stringify(defaultSettings('')),
      turn.createdAtMs,
      turn.createdAtMs,
    );
    place(db, turn.id, session.leaf === null ? undefined : placeOf(db, session.leaf), false);
    insertItems(db, turn.id, turn.items);
    db.run('UPDATE sessions SET leaf = ? WHERE id = ?', turn.id, turn.session);
    touchSession(db, turn.session, turn.createdAtMs);
    return turn.items;
  });
}

export function deleteSessionItem(db: Database, session: SessionRow, id: string): boolean {
  return db.commit('durable', () => {
    const found = find(db, session, id);
    if (found === undefined) return false;
    return db.run('DELETE FROM items WHERE turn = ? AND position = ?', found.turn, found.position) > 0;
  });
}

function find(db: Database, session: SessionRow, id: string): FoundItem | undefined {
  const leaf = leafOf(db, session);
  if (leaf === undefined) return undefined;
  const row = db.one(
    `SELECT turn, branch, depth, position, item FROM items JOIN turns ON turns.id = items.turn
     WHERE items.id = ? AND tenant = ? AND branch IS NOT NULL`,
    id,
    session.tenant,
  );
  if (row === undefined) return undefined;
  const at = { branch: text(row['branch']), depth: Number(row['depth']) };
  return isOnChain(db, leaf, at)
    ? { ...at, turn: text(row['turn']), position: Number(row['position']), item: parsed(row['item']) }
    : undefined;
}

function leafOf(db: Database, session: SessionRow): Place | undefined {
  return session.leaf === null ? undefined : placeOf(db, session.leaf);
}
