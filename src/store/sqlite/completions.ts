/** Stored Chat Completions: a short row each beside the turn's, so that a list of them reads nothing else. */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { CompletionQuery, StoredCompletion } from '../../domain/turn/turn-list.ts';
import type { NewTurn } from '../ports/turns.ts';
import type { Database, Row } from './database.ts';
import { parsed, text } from './rows.ts';
import { rowByPublicId } from './turns.ts';

/** Completions that one look goes through, with metadata of 9 KB at most each (T14). */
const stretch = 200;

const columns = 'completions.ordinal, turns.id, turns.public_id, turns.model, completions.legacy, completions.metadata';
const isThere = `turns.erased_by IS NULL AND turns.status IN ('completed', 'incomplete')`;

/** In the commit that takes the turn in, behind its row. */
export function insertCompletion(db: Database, { id, tenant, settings, completion }: NewTurn): void {
  if (completion === undefined) return;
  const sql = 'INSERT INTO completions (ordinal, tenant, legacy, metadata) SELECT ordinal, ?, ?, ? FROM turns WHERE id = ?';
  db.run(sql, tenant, completion.isLegacy ? 1 : 0, JSON.stringify(settings.metadata), id);
}

/** With the turn's row still there. */
export function dropCompletion(db: Database, turn: string): void {
  db.run('DELETE FROM completions WHERE ordinal = (SELECT ordinal FROM turns WHERE id = ?)', turn);
}

export function findCompletion(db: Database, tenant: string, publicId: string): StoredCompletion | undefined {
  const ordinal = ordinalOf(db, tenant, publicId);
  const sql = `SELECT ${columns} FROM completions JOIN turns USING (ordinal) WHERE completions.ordinal = ? AND ${isThere}`;
  const row = ordinal === undefined ? undefined : db.one(sql, ordinal);
  return row === undefined ? undefined : completionOf(row);
}

export async function listCompletions(
  db: Database,
  tenant: string,
  { limit, order, after, model, metadata = {} }: CompletionQuery,
): Promise<StoredCompletion[] | undefined> {
  const start = after === undefined ? undefined : ordinalOf(db, tenant, after);
  if (after !== undefined && (start === undefined || findCompletion(db, tenant, after) === undefined)) return undefined;
  const isAscending = order === 'asc';
  const sql = `SELECT ${columns}, ${isThere} AS is_there FROM completions INDEXED BY completions_by_tenant JOIN turns USING (ordinal)
    WHERE completions.tenant = ? AND completions.ordinal ${isAscending ? '>' : '<'} ?
    ORDER BY completions.ordinal ${isAscending ? 'ASC' : 'DESC'} LIMIT ${stretch}`;
  const wanted = Object.entries(metadata);
  const found: StoredCompletion[] = [];
  for (let from = start ?? (isAscending ? 0 : Number.MAX_SAFE_INTEGER); ; await nextTurnOfTheLoop()) {
    const rows = db.all(sql, tenant, from);
    for (const row of rows) {
      if (row['is_there'] !== 1 || (model !== undefined && row['model'] !== model)) continue;
      const completion = completionOf(row);
      if (!wanted.every(([key, value]) => completion.metadata[key] === value)) continue;
      found.push(completion);
      if (found.length === limit) return found;
    }
    if (rows.length < stretch) return found;
    from = Number(rows.at(-1)?.['ordinal']);
  }
}

export async function updateCompletion(
  db: Database,
  tenant: string,
  publicId: string,
  metadata: StoredCompletion['metadata'],
): Promise<StoredCompletion | undefined> {
  return db.commit('durable', () => {
    const found = findCompletion(db, tenant, publicId);
    if (found === undefined) return undefined;
    const sql = 'UPDATE completions SET metadata = ? WHERE ordinal = (SELECT ordinal FROM turns WHERE id = ?)';
    db.run(sql, JSON.stringify(metadata), found.turn);
    return { ...found, metadata };
  });
}

function ordinalOf(db: Database, tenant: string, publicId: string): number | undefined {
  const row = rowByPublicId(db, 'SELECT ordinal FROM turns', tenant, publicId);
  return row === undefined ? undefined : Number(row['ordinal']);
}

function completionOf(row: Row): StoredCompletion {
  const turn = text(row['id']);
  return { turn, publicId: text(row['public_id'] ?? turn), isLegacy: row['legacy'] === 1, metadata: parsed(row['metadata']) };
}
