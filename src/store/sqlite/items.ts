/** The items of one turn. */
import type { Item } from '../../domain/item.ts';
import type { Database } from './database.ts';
import { parsed } from './rows.ts';

/** Appends to what the turn has. */
export function insertItems(db: Database, turn: string, items: readonly Item[]): void {
  if (items.length === 0) return;
  const first = Number(db.one('SELECT coalesce(max(position) + 1, 0) AS first FROM items WHERE turn = ?', turn)?.['first']);
  items.forEach((item, index) => {
    const callId = item.type === 'function_call' ? item.call_id : null;
    db.run(
      'INSERT INTO items (turn, position, id, call_id, item) VALUES (?, ?, ?, ?, ?)',
      turn,
      first + index,
      item.id,
      callId,
      JSON.stringify(item),
    );
  });
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
