/**
 * Leases of running attempts: who writes a turn, and until when it must have been heard of. By the clock of this machine,
 * which may be set: forward, and all leases have run out until those who live renew theirs (`client/turn-watcher.ts` looks
 * twice); back, and a lease that nobody renews begins anew.
 */
import { longestBusyWaitMs } from '../../domain/turn/retry-policy.ts';
import type { Beat, ExpiredLease, Lease, OverdueQuery, OverdueTurn, TurnPulse } from '../ports/leases.ts';
import { all, now, one, onlyIn, run, type Row, type SqlDatabase, type Work } from './work.ts';
import { text } from './rows.ts';

/** Raises the epoch and begins a lease; returns the new epoch. */
export function* takeLease(turn: string, step: number, { holder, lengthMs }: Lease): Work<number> {
  const row = yield* one(
    `UPDATE journal_head SET epoch = epoch + 1, holder = ?, step = ?, lease_until = ?, lease_ms = ?, due_at = NULL
     WHERE turn = ? RETURNING epoch`,
    holder,
    step,
    (yield* now()) + lengthMs,
    lengthMs,
    turn,
  );
  return Number(row?.['epoch']);
}

/** Holds a turn that is fenced: no process. */
const nobody = '';

/** Raises the epoch above that of whoever may write, once, and ends the lease; returns the epoch. */
export function* fenceLease(turn: string): Work<number> {
  const nowMs = yield* now();
  // A lease that ends now, and not none: the turn is found by it if this process dies before the seal.
  const row = yield* one(
    `UPDATE journal_head SET epoch = CASE WHEN holder IS NOT DISTINCT FROM ? THEN epoch ELSE epoch + 1 END, holder = ?,
       lease_until = CASE WHEN lease_until > ? THEN ? ELSE lease_until END, lease_ms = 0
     WHERE turn = ? RETURNING epoch`,
    nobody,
    nobody,
    nowMs,
    nowMs,
    turn,
  );
  return Number(row?.['epoch']);
}

/** @param dueAtMs when the next request may be sent; undefined: there is to be none */
export function* releaseLease(turn: string, epoch: number, dueAtMs: number | undefined): Work<void> {
  yield* run(
    'UPDATE journal_head SET lease_until = NULL, due_at = ? WHERE turn = ? AND epoch = ? AND sealed = 0',
    dueAtMs ?? null,
    turn,
    epoch,
  );
}

/** Temporal has the turn: its first request is due, unless it was claimed before. */
export function* awaitFirstClaim(turn: string): Work<void> {
  yield* run('UPDATE journal_head SET due_at = ? WHERE turn = ? AND epoch = 0 AND due_at IS NULL', yield* now(), turn);
}

export function* listOverdue({ dueForMs, limit }: OverdueQuery): Work<OverdueTurn[]> {
  const overdue = (range: string): string =>
    `SELECT journal_head.turn, tenant, journal_head.step, journal_head.epoch, cancel_requested_at
     FROM journal_head INDEXED BY requests_due JOIN turns ON turns.id = journal_head.turn
     WHERE ${range} AND sealed = 0 AND lease_until IS NULL AND owner_run IS NULL ORDER BY due_at LIMIT ?`;
  const nowMs = yield* now();
  const rows = yield* all(overdue('due_at < ?'), nowMs - dueForMs, limit);
  // The clock was set back behind these: no wait is as long.
  const misdated = yield* all(overdue('due_at > ?'), nowMs + longestBusyWaitMs, limit - rows.length);
  return [...rows, ...misdated].map(overdueOf);
}

function overdueOf(row: Row): OverdueTurn {
  return {
    turn: text(row['turn']),
    tenant: text(row['tenant']),
    step: Number(row['step'] ?? 1),
    epoch: Number(row['epoch']),
    isCancelRequested: row['cancel_requested_at'] !== null,
  };
}

export function* leaseLeftMs(turn: string): Work<number> {
  const until = (yield* one('SELECT lease_until FROM journal_head WHERE turn = ? AND sealed = 0', turn))?.['lease_until'];
  return until == null ? 0 : Number(until) - (yield* now());
}

/** By the end of the leases, which all have about the same length: a look at one index entry. */
export function* oldestRenewalAtMs(): Work<number | null> {
  const sql = 'SELECT lease_until - lease_ms AS at FROM journal_head WHERE lease_until IS NOT NULL ORDER BY lease_until LIMIT 1';
  const row = yield* one(sql);
  return row === undefined ? null : Number(row['at']);
}

export async function beat(db: SqlDatabase, { lease, turns }: Beat): Promise<TurnPulse[]> {
  const ids = JSON.stringify(turns);
  return db.commit('quick', function* () {
    // In one order: two that lock several heads would wait for each other.
    yield* onlyIn('postgres', 'SELECT 1 FROM journal_head WHERE turn IN (SELECT value FROM json_each(?)) ORDER BY turn FOR UPDATE', ids);
    yield* run(
      `UPDATE journal_head SET lease_until = ?, lease_ms = ?
         WHERE turn IN (SELECT value FROM json_each(?)) AND holder = ? AND lease_until IS NOT NULL`,
      (yield* now()) + lease.lengthMs,
      lease.lengthMs,
      ids,
      lease.holder,
    );
    const rows = yield* all(
      `SELECT journal_head.turn, epoch, sealed, steered, cancel_requested_at FROM journal_head JOIN turns ON turns.id = journal_head.turn
         WHERE journal_head.turn IN (SELECT value FROM json_each(?))`,
      ids,
    );
    const pulses = new Map(rows.map((row) => [text(row['turn']), pulseOf(row)]));
    return turns.flatMap((turn) => pulses.get(turn) ?? []);
  });
}

function pulseOf(row: Row): TurnPulse {
  return {
    turn: text(row['turn']),
    epoch: Number(row['epoch']),
    isSealed: row['sealed'] === 1,
    isCancelRequested: row['cancel_requested_at'] !== null,
    isSteerRequested: row['steered'] === 1,
  };
}

export async function requestSteer(db: SqlDatabase, turn: string): Promise<void> {
  return db.commit('quick', function* () {
    yield* run('UPDATE journal_head SET steered = 1 WHERE turn = ? AND sealed = 0', turn);
  });
}

export async function listExpiredLeases(
  db: SqlDatabase,
  { limit, hasWorker, keptForMs = 0 }: { limit: number; hasWorker: boolean; keptForMs?: number },
): Promise<ExpiredLease[]> {
  await shortenLeases(db);
  return db.read(function* () {
    const nowMs = yield* now();
    const isAsked = hasWorker ? '' : 'WHERE (started = 1 AND kept = 0) OR cancel_requested_at IS NOT NULL';
    const rows = yield* all(
      `SELECT * FROM (
         SELECT journal_head.turn, tenant, journal_head.step, journal_head.epoch, cancel_requested_at, lease_until,
           CASE WHEN EXISTS (
             SELECT 1 FROM attempts WHERE attempts.turn = journal_head.turn AND attempts.step = journal_head.step AND first_event_at IS NOT NULL
           ) THEN 1 ELSE 0 END AS started,
           CASE WHEN cancel_requested_at IS NULL AND lease_until > ? AND EXISTS (
             SELECT 1 FROM attempts WHERE attempts.turn = journal_head.turn AND attempts.step = journal_head.step
               AND ended_at IS NULL AND response_id IS NOT NULL
           ) THEN 1 ELSE 0 END AS kept
         FROM journal_head JOIN turns ON turns.id = journal_head.turn
         WHERE lease_until IS NOT NULL AND lease_until < ?
       ) AS expired ${isAsked} ORDER BY lease_until LIMIT ?`,
      nowMs - keptForMs,
      nowMs,
      limit,
    );
    const expired = rows.map((row) => ({ ...overdueOf(row), hasStarted: row['started'] === 1, isKept: row['kept'] === 1 }));
    return hasWorker ? expired : [...expired, ...(yield* passedOnInVain(keptForMs, limit - expired.length))];
  });
}

/** Their attempt has started, was passed on so long ago, and nobody has read its answer on. */
function* passedOnInVain(keptForMs: number, limit: number): Work<ExpiredLease[]> {
  const rows = yield* all(
    `SELECT journal_head.turn, tenant, journal_head.step, journal_head.epoch, cancel_requested_at
     FROM attempts INDEXED BY attempts_kept
       JOIN journal_head ON journal_head.turn = attempts.turn AND journal_head.step = attempts.step
       JOIN turns ON turns.id = attempts.turn
     WHERE ended_at IS NULL AND response_id IS NOT NULL AND first_event_at IS NOT NULL
       AND lease_until IS NULL AND sealed = 0 AND due_at < ? LIMIT ?`,
    (yield* now()) - keptForMs,
    limit,
  );
  return rows.map((row) => ({ ...overdueOf(row), hasStarted: true, isKept: false }));
}

/**
 * The clock was set back behind those leases that last longer than they were given for. Who lives renews theirs by the new
 * clock at once; the others run out after their length, instead of when the clock is again where it was.
 */
async function shortenLeases(db: SqlDatabase): Promise<void> {
  const isTooLong = 'lease_until > ? AND lease_until > ? + lease_ms';
  const isMisdated = await db.read(function* () {
    const at = yield* now();
    return (yield* one(`SELECT 1 FROM journal_head WHERE ${isTooLong} LIMIT 1`, at, at)) !== undefined;
  });
  if (!isMisdated) return;
  await db.commit('quick', function* () {
    const at = yield* now();
    yield* run(`UPDATE journal_head SET lease_until = ? + lease_ms WHERE ${isTooLong}`, at, at, at);
  });
}
