/** Circuit breakers that are not closed, a row each. Whoever changes one names what it has seen of it: no lock is needed. */
import { type BreakerRow, forgottenAfterMs, mostBreakers, probeMs, stateOf, trip } from '../../domain/turn/breaker.ts';
import type { OpenBreakers, TripBreaker } from '../ports/breakers.ts';
import { numberOrNull, text } from './rows.ts';
import { all, now, one, run, type Row, type SqlDatabase, type Work } from './work.ts';

const columns = 'key, opened_at, trips, until, probe_until, detail';

export function* readBreakers(): Work<OpenBreakers> {
  const rows = yield* all(`SELECT ${columns} FROM breakers ORDER BY key LIMIT ?`, mostBreakers);
  return { nowMs: yield* now(), rows: rows.map(breakerOf) };
}

export async function tripBreaker(db: SqlDatabase, { key, ...failed }: TripBreaker): Promise<BreakerRow> {
  return db.commit('quick', function* () {
    const nowMs = yield* now();
    const before = yield* readBreaker(key);
    const after = trip(before, { key, ...failed, nowMs });
    if (after === undefined) return before as BreakerRow;
    yield* run('DELETE FROM breakers WHERE until < ?', nowMs - forgottenAfterMs);
    const { openedAtMs, trips, untilMs, detail } = after;
    const sql = `INSERT INTO breakers (${columns}) VALUES (?, ?, ?, ?, NULL, ?) ON CONFLICT (key) DO UPDATE SET trips = excluded.trips,
      until = excluded.until, probe_until = NULL, detail = excluded.detail WHERE breakers.trips < excluded.trips`;
    yield* run(sql, key, openedAtMs, trips, untilMs, detail);
    return (yield* readBreaker(key)) ?? after;
  });
}

export async function probeBreaker(db: SqlDatabase, key: string): Promise<boolean> {
  return db.commit('quick', function* () {
    const nowMs = yield* now();
    const row = yield* readBreaker(key);
    if (row === undefined || stateOf(row, nowMs).type !== 'due') return false;
    const sql = 'UPDATE breakers SET probe_until = ? WHERE key = ? AND until = ? AND probe_until IS NOT DISTINCT FROM ?';
    return (yield* run(sql, nowMs + probeMs, key, row.untilMs, row.probeUntilMs)) > 0;
  });
}

export async function closeBreaker(db: SqlDatabase, key: string): Promise<void> {
  await db.commit('quick', () => run('DELETE FROM breakers WHERE key = ?', key));
}

function* readBreaker(key: string): Work<BreakerRow | undefined> {
  const row = yield* one(`SELECT ${columns} FROM breakers WHERE key = ?`, key);
  return row && breakerOf(row);
}

function breakerOf(row: Row): BreakerRow {
  return {
    key: text(row['key']),
    openedAtMs: Number(row['opened_at']),
    trips: Number(row['trips']),
    untilMs: Number(row['until']),
    probeUntilMs: numberOrNull(row['probe_until']),
    detail: text(row['detail']),
  };
}
