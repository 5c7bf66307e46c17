/** The turns of a tenant with their requests, in pages that are short, with the event loop free in between (T14). */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { isFailureCode } from '../../domain/failure.ts';
import type { ResponseStatus } from '../../domain/response/response.ts';
import { isAskedFor } from '../../domain/turn/turn-list.ts';
import type { CountedTurn } from '../../domain/turn/turn-stats.ts';
import type { CountedPage, CountedQuery } from '../ports/turns.ts';
import { readAttempts } from './attempts.ts';
import { all, type SqlDatabase } from './work.ts';
import { text, textOrNull } from './rows.ts';

/** Turns, and turns and requests, that one page goes through: about 5 ms. A turn is not torn: one of an agent's may have hundreds. */
const [maxTurns, maxRows] = [200, 1_000];

export async function readCounted(db: SqlDatabase, tenant: string, { filter, before }: CountedQuery): Promise<CountedPage> {
  await nextTurnOfTheLoop();
  // What is not seen is looked at too: a page ends by what it has read, not by what it has found.
  const sql = `SELECT ordinal, id, status, error_code, session, model, created_at,
      CASE WHEN kind = 'response' AND erased_by IS DISTINCT FROM 'owner' AND (stored = 1 OR settled_at IS NULL) THEN 1 ELSE 0 END AS visible
    FROM turns INDEXED BY turns_by_tenant WHERE tenant = ? AND ordinal < ? ORDER BY ordinal DESC LIMIT ?`;
  const turns: CountedTurn[] = [];
  let rows = 0;
  let last: CountedPage['last'];
  for (const row of await db.read(() => all(sql, tenant, before ?? Number.MAX_SAFE_INTEGER, maxTurns))) {
    if (rows >= maxRows) break;
    rows += 1;
    const code = row['error_code'];
    const turn = {
      status: row['status'] as ResponseStatus,
      errorCode: isFailureCode(code) ? code : null,
      session: textOrNull(row['session']),
      model: textOrNull(row['model']),
      createdAtMs: Number(row['created_at']),
    };
    last = { ordinal: Number(row['ordinal']), createdAtMs: turn.createdAtMs };
    if (row['visible'] !== 1 || !isAskedFor(turn, filter)) continue;
    const attempts = await db.read(() => readAttempts(text(row['id'])));
    rows += attempts.length;
    turns.push({ ...turn, attempts });
  }
  return { turns, rows, ...(last === undefined ? {} : { last }) };
}
