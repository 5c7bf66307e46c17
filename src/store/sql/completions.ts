/** Stored Chat Completions: a short row each beside the turn's, so that a list of them reads nothing else. */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { CompletionQuery, StoredCompletion } from '../../domain/turn/turn-list.ts';
import type { NewTurn } from '../ports/turns.ts';
import { all, one, run, type Row, type SqlDatabase, type Work } from './work.ts';
import { parsed, text } from './rows.ts';
import { rowByPublicId } from './turns.ts';

/** Completions that one look goes through, with metadata of 9 KB at most each (T14). */
const stretch = 200;

const columns = 'completions.ordinal, turns.id, turns.public_id, turns.model, completions.legacy, completions.metadata';
const isThere = `turns.erased_by IS NULL AND turns.status IN ('completed', 'incomplete')`;

/** In the commit that takes the turn in, behind its row. */
export function* insertCompletion({ id, settings, completion }: NewTurn): Work<void> {
  if (completion === undefined) return;
  const sql =
    'INSERT INTO completions (ordinal, tenant, legacy, metadata) SELECT ordinal, tenant, CAST(? AS BIGINT), CAST(? AS TEXT) FROM turns WHERE id = ?';
  yield* run(sql, completion.isLegacy ? 1 : 0, JSON.stringify(settings.metadata), id);
}

/** With the turn's row still there. */
export function* dropCompletion(turn: string): Work<void> {
  yield* run('DELETE FROM completions WHERE ordinal = (SELECT ordinal FROM turns WHERE id = ?)', turn);
}

export function* findCompletion(tenant: string, publicId: string): Work<StoredCompletion | undefined> {
  const ordinal = yield* ordinalOf(tenant, publicId);
  const sql = `SELECT ${columns} FROM completions JOIN turns USING (ordinal) WHERE completions.ordinal = ? AND ${isThere}`;
  const row = ordinal === undefined ? undefined : yield* one(sql, ordinal);
  return row === undefined ? undefined : completionOf(row);
}

export async function listCompletions(
  db: SqlDatabase,
  tenant: string,
  { limit, order, after, model, metadata = {} }: CompletionQuery,
): Promise<StoredCompletion[] | undefined> {
  const start = after === undefined ? undefined : await db.read(() => ordinalOf(tenant, after));
  if (after !== undefined && (start === undefined || (await db.read(() => findCompletion(tenant, after))) === undefined)) return undefined;
  const isAscending = order === 'asc';
  const sql = `SELECT ${columns}, CASE WHEN ${isThere} THEN 1 ELSE 0 END AS is_there FROM completions INDEXED BY completions_by_tenant JOIN turns USING (ordinal)
    WHERE completions.tenant = ? AND completions.ordinal ${isAscending ? '>' : '<'} ?
    ORDER BY completions.ordinal ${isAscending ? 'ASC' : 'DESC'} LIMIT ${stretch}`;
  const wanted = Object.entries(metadata);
  const found: StoredCompletion[] = [];
  for (let from = start ?? (isAscending ? 0 : Number.MAX_SAFE_INTEGER); ; await nextTurnOfTheLoop()) {
    const rows = await db.read(() => all(sql, tenant, from));
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
  db: SqlDatabase,
  tenant: string,
  publicId: string,
  metadata: StoredCompletion['metadata'],
): Promise<StoredCompletion | undefined> {
  return db.commit('durable', function* () {
    const found = yield* findCompletion(tenant, publicId);
    if (found === undefined) return undefined;
    const sql = 'UPDATE completions SET metadata = ? WHERE ordinal = (SELECT ordinal FROM turns WHERE id = ?)';
    yield* run(sql, JSON.stringify(metadata), found.turn);
    return { ...found, metadata };
  });
}

function* ordinalOf(tenant: string, publicId: string): Work<number | undefined> {
  const row = yield* rowByPublicId('SELECT ordinal FROM turns', tenant, publicId);
  return row === undefined ? undefined : Number(row['ordinal']);
}

function completionOf(row: Row): StoredCompletion {
  const turn = text(row['id']);
  return { turn, publicId: text(row['public_id'] ?? turn), isLegacy: row['legacy'] === 1, metadata: parsed(row['metadata']) };
}
