import type { JournalHead } from '../../../src/store/ports/journal.ts';
import type { Beat, ExpiredLease, Lease, OverdueQuery, OverdueTurn, TurnPulse } from '../../../src/store/ports/leases.ts';
import type { AttemptEnd, AttemptKey } from '../../../src/domain/turn/attempt.ts';
import { longestBusyWaitMs } from '../../../src/domain/turn/retry-policy.ts';
import { keptOf } from './kept-attempt.ts';
import { type MemoryDatabase, type StoredJournal, type StoredTurn } from './database.ts';

/** Raises the epoch and begins a lease; returns the new epoch. */
export function takeLease(turn: StoredTurn, step: number, { holder, lengthMs }: Lease): number {
  const epoch = journalOf(turn).epoch + 1;
  updateJournal(turn, { epoch, step, isFenced: false, due: undefined, lease: { holder, step, untilMs: Date.now() + lengthMs, lengthMs } });
  return epoch;
}

/** Raises the epoch above that of whoever may write, once, and ends the lease; returns the epoch. */
export function fenceLease(turn: StoredTurn): number {
  const { epoch, isFenced = false, lease } = journalOf(turn);
  const fenced = isFenced ? epoch : epoch + 1;
  const ended = lease === undefined ? undefined : { ...lease, holder: '', untilMs: Math.min(lease.untilMs, Date.now()), lengthMs: 0 };
  updateJournal(turn, { epoch: fenced, isFenced: true, lease: ended });
  return fenced;
}

function journalOf({ row, journal }: StoredTurn): StoredJournal {
  if (journal === undefined) throw new Error(`${row.id} has no journal`);
  return journal;
}

/** The lease ends, and the request of this step is due at once. */
export function passOn(turn: StoredTurn, step: number): void {
  updateJournal(turn, { step, lease: undefined, due: { step, atMs: Date.now() } });
}

export function releaseLease(turn: StoredTurn, { step }: AttemptKey, epoch: number, { endedAtMs, waitMs }: AttemptEnd): void {
  const due = waitMs === undefined ? undefined : { step, atMs: endedAtMs + waitMs };
  if (turn.journal?.epoch === epoch && !turn.journal.isSealed) updateJournal(turn, { lease: undefined, due });
}

/** Temporal has the turn: its first request is due, unless it was claimed before. */
export function awaitFirstClaim(turn: StoredTurn): void {
  if (turn.journal?.epoch === 0 && turn.journal.due === undefined) updateJournal(turn, { due: { step: 1, atMs: Date.now() } });
}

export function listOverdue(database: MemoryDatabase, { dueForMs, limit }: OverdueQuery): OverdueTurn[] {
  const isOverdue = ({ row, journal }: StoredTurn): boolean => {
    if (row.ownerRunId !== null) return false;
    if (journal?.due === undefined || journal.isSealed || journal.lease !== undefined) return false;
    const dueInMs = journal.due.atMs - Date.now();
    return dueInMs < -dueForMs || dueInMs > longestBusyWaitMs;
  };
  return database
    .turnsWhere(isOverdue)
    .toSorted((one, other) => Number(one.journal?.due?.atMs) - Number(other.journal?.due?.atMs))
    .map((turn) => overdueOf(turn, turn.journal?.due?.step ?? 1))
    .slice(0, limit);
}

export function leaseLeftMs({ journal }: StoredTurn): number {
  return journal?.lease === undefined ? 0 : journal.lease.untilMs - Date.now();
}

export function headOf(turn: StoredTurn | undefined): JournalHead | undefined {
  const journal = turn?.journal;
  if (turn === undefined || journal === undefined) return undefined;
  const held = leaseLeftMs(turn) > 0 ? 'live' : 'expired';
  const lease = journal.lease === undefined ? 'none' : held;
  return { epoch: journal.epoch, last: journal.rows.length - 1, isSealed: journal.isSealed, lease };
}

export function beat(database: MemoryDatabase, { lease: { holder, lengthMs }, turns }: Beat): TurnPulse[] {
  return turns.flatMap((id) => {
    const turn = database.turns.get(id);
    if (turn?.journal === undefined) return [];
    const { epoch, isSealed, isSteered, lease } = turn.journal;
    if (lease?.holder === holder) updateJournal(turn, { lease: { ...lease, untilMs: Date.now() + lengthMs, lengthMs } });
    return [{ turn: id, epoch, isSealed, isCancelRequested: turn.row.cancelRequestedAtMs !== null, isSteerRequested: isSteered === true }];
  });
}

export function requestSteer(database: MemoryDatabase, id: string): void {
  const turn = database.turns.get(id);
  if (turn?.journal?.isSealed === false) updateJournal(turn, { isSteered: true });
}

function overdueOf(turn: StoredTurn, step: number): OverdueTurn {
  const { id, tenant, cancelRequestedAtMs } = turn.row;
  return { turn: id, tenant, step, epoch: journalOf(turn).epoch, isCancelRequested: cancelRequestedAtMs !== null };
}

export function listExpiredLeases(
  database: MemoryDatabase,
  { limit, hasWorker, keptForMs = 0 }: { readonly limit: number; readonly hasWorker: boolean; readonly keptForMs?: number },
): ExpiredLease[] {
  // The clock was set back behind those that last longer than they were given for.
  for (const turn of database.turnsWhere(({ journal }) => (journal?.lease?.untilMs ?? 0) > Date.now() + (journal?.lease?.lengthMs ?? 0))) {
    const lease = turn.journal?.lease;
    updateJournal(turn, { lease: lease && { ...lease, untilMs: Date.now() + lease.lengthMs } });
  }
  const expired = database.turnsWhere(({ journal }) => journal?.lease !== undefined && journal.lease.untilMs < Date.now());
  const passedOn = hasWorker ? [] : passedOnInVain(database, keptForMs);
  const lost = expired
    .toSorted((one, other) => leaseLeftMs(one) - leaseLeftMs(other))
    .flatMap((turn) => {
      const { lease } = journalOf(turn);
      if (lease === undefined) return [];
      const hasStarted = turn.attempts.some((attempt) => attempt.step === lease.step && attempt.firstEventAtMs !== undefined);
      const isRecent = turn.row.cancelRequestedAtMs === null && lease.untilMs > Date.now() - keptForMs;
      return [{ ...overdueOf(turn, lease.step), hasStarted, isKept: isRecent && keptOf(turn, lease.step) !== undefined }];
    })
    .filter(({ hasStarted, isKept, isCancelRequested }) => hasWorker || (hasStarted && !isKept) || isCancelRequested);
  return [...lost, ...passedOn].slice(0, limit);
}

/** Their attempt has started, was passed on so long ago, and nobody has read its answer on. */
function passedOnInVain(database: MemoryDatabase, keptForMs: number): ExpiredLease[] {
  return database
    .turnsWhere(({ journal }) => journal?.isSealed === false && journal.lease === undefined && journal.due !== undefined)
    .flatMap((turn) => {
      const { step, atMs } = journalOf(turn).due ?? { step: 1, atMs: Date.now() };
      const hasStarted = turn.attempts.some((attempt) => attempt.step === step && attempt.firstEventAtMs !== undefined);
      const isInVain = hasStarted && atMs < Date.now() - keptForMs && keptOf(turn, step) !== undefined;
      return isInVain ? [{ ...overdueOf(turn, step), hasStarted, isKept: false }] : [];
    });
}

function updateJournal(turn: StoredTurn, fields: Partial<StoredJournal>): void {
  if (turn.journal !== undefined) turn.journal = { ...turn.journal, ...fields };
}
