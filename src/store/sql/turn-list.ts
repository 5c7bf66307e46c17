/** The list of a tenant's turns, newest first: looked for in stretches, however rare what is asked for, with the event loop free in between (T14). */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { isFailureCode } from '../../domain/failure.ts';
import type { ResponseStatus } from '../../domain/response/response.ts';
import { endsBehind, type TurnFilter, type TurnSummary } from '../../domain/turn/turn-list.ts';
import type { TurnListQuery } from '../ports/turns.ts';
import { all, one, type Row, type SqlDatabase, type Work } from './work.ts';
import { numberOrNull, parsed, text, textOrNull } from './rows.ts';
import { rowByPublicId } from './turns.ts';

/** Turns, of all tenants, that one look goes through: about 2 ms. */
const stretch = 5_000;

const nextSql =
  'SELECT ordinal, created_at FROM turns INDEXED BY turns_by_tenant WHERE tenant = ? AND ordinal < ? ORDER BY ordinal DESC LIMIT 1';

export async function listTurns(
  db: SqlDatabase,
  tenant: string,
  { filter, limit, after }: TurnListQuery,
): Promise<TurnSummary[] | undefined> {
  const start = await db.read(() =>
    after === undefined ? one('SELECT max(ordinal) + 1 AS ordinal FROM turns') : ordinalOf(tenant, after),
  );
  if (start === undefined) return undefined;
  const { conditions, values } = conditionsOf(filter);
  const sql = `SELECT *, (SELECT count(*) FROM attempts WHERE turn = turns.id) AS requests,
      (SELECT detail FROM attempts WHERE turn = turns.id ORDER BY step DESC, attempt DESC LIMIT 1) AS detail
    FROM turns INDEXED BY turns_by_tenant
    WHERE tenant = ? AND ordinal < ? AND ordinal >= ? AND kind = 'response' AND erased_by IS DISTINCT FROM 'owner'
      AND (stored = 1 OR settled_at IS NULL) ${conditions} ORDER BY ordinal DESC LIMIT ?`;
  const found: TurnSummary[] = [];
  for (let before = Number(start['ordinal'] ?? 0); found.length < limit; before -= stretch) {
    if (found.length > 0 || before !== Number(start['ordinal'])) await nextTurnOfTheLoop();
    // Behind the last one that may be asked for nothing is looked at; what lies between two of the tenant's own is skipped.
    const from = before;
    const next = await db.read(() => one(nextSql, tenant, from));
    if (next === undefined || endsBehind(Number(next['created_at']), filter)) break;
    before = Number(next['ordinal']) + 1;
    const end = before;
    const rows = await db.read(() => all(sql, tenant, end, end - stretch, ...values, limit - found.length));
    found.push(...rows.map(summaryOf));
  }
  return found;
}

function* ordinalOf(tenant: string, publicId: string): Work<Row | undefined> {
  return yield* rowByPublicId('SELECT ordinal FROM turns', tenant, publicId);
}

function conditionsOf({ status, code, session, model, sinceMs, untilMs }: TurnFilter): {
  readonly conditions: string;
  readonly values: readonly (string | number)[];
} {
  const all: readonly (readonly [string, string | number | undefined])[] = [
    ['status = ?', status],
    ['error_code = ?', code],
    ['session = ?', session],
    ['created_at >= ?', sinceMs],
    ['created_at < ?', untilMs],
    ['model = ?', model],
  ];
  const asked = all.flatMap(([condition, value]) => (value === undefined ? [] : [{ condition, value }]));
  return { conditions: asked.map(({ condition }) => `AND ${condition}`).join(' '), values: asked.map(({ value }) => value) };
}

function summaryOf(row: Row): TurnSummary {
  const code = row['error_code'];
  return {
    publicId: text(row['public_id'] ?? row['id']),
    session: textOrNull(row['session']),
    status: row['status'] as ResponseStatus,
    model: textOrNull(row['model']),
    errorCode: isFailureCode(code) ? code : null,
    createdAtMs: Number(row['created_at']),
    settledAtMs: numberOrNull(row['settled_at']),
    detail: code === null ? null : textOrNull(row['detail']),
    requests: Number(row['requests']),
    usage: row['usage'] === null ? null : parsed(row['usage']),
    owner: row['owner_run'] === null ? null : textOrNull(row['workflow_id']),
  };
}
