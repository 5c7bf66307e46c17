/**
 * How a submitted turn is taken in: which turn it joins, what refuses it, whom it interrupts. Pure: a driver of the store
 * gathers the facts inside its transaction, asks `decideAdmission`, and writes what that says in the same transaction.
 */
import type { TurnRow } from './turn.ts';

/** A cancel that came before its turn counts this long. */
export const earlyCancelMs = 10 * 60_000;

/** What decides of a submitted turn. Times are milliseconds since the epoch. */
export interface AdmissionRequest {
  readonly tenant: string;
  readonly session: string | null;
  /** Equal for two submissions that say the same. */
  readonly bodyHash: string;
  readonly createdAtMs: number;
  /** A client's own retry: it joins its twin, see `AdmissionFacts.twin`. */
  readonly joins?: { readonly settledAfterMs: number };
  /** While an earlier turn of the session is unsettled: wait for it, be refused, or have it cancelled. */
  readonly whenBusy: 'enqueue' | 'reject' | 'interrupt';
  readonly limits: {
    /** Turns of one session that may wait behind the one that runs. */
    readonly maxWaitingTurns: number;
    /** Unsettled turns of one tenant. */
    readonly maxRunningTurns: number;
  };
}

export interface UnsettledTurn {
  readonly id: string;
  /** Its cancel was accepted. */
  readonly isCancelRequested: boolean;
}

/**
 * What the database knows, at the time of the decision. Facts are looked at in this order, each at most once, and only
 * while those before it leave the case open: a driver may gather all at once, or each when it is looked at (a getter).
 */
export interface AdmissionFacts {
  /** The turn that has this id, of whatever tenant; without one, the tenant's turn that has this idempotency key. */
  readonly same: TurnRow | undefined;
  /**
   * The latest turn of this tenant, session and body that is not erased, and either unsettled or settled after
   * `joins.settledAfterMs` with an end that no client has acknowledged. Not looked at without `joins`.
   */
  readonly twin: TurnRow | undefined;
  /** The session is there, and the tenant's. Not looked at outside of a session. */
  readonly hasSession: boolean;
  /** The unsettled turns of the session, oldest first: the first runs, the others wait. Not looked at outside of a session. */
  readonly unsettledInSession: readonly UnsettledTurn[];
  readonly unsettledOfTenant: number;
  /** When the tenant asked to cancel a turn of this id before there was one. */
  readonly earlyCancelAtMs: number | undefined;
}

export type Refusal =
  /** The id or the idempotency key belongs to another request. */
  | { readonly type: 'conflict' }
  /** The session was deleted meanwhile. */
  | { readonly type: 'unknown_session' }
  | { readonly type: 'busy'; readonly running: string }
  | { readonly type: 'queue_full' | 'too_many' };

export type Admission =
  | {
      readonly type: 'admitted';
      /** Its cancel came first: it is in, as one to be cancelled, and the early cancel is used up. Else null. */
      readonly cancelRequestedAtMs: number | null;
      /** The turn whose cancel is accepted in the same commit. */
      readonly interrupts: string | undefined;
    }
  | { readonly type: 'joined'; readonly turn: TurnRow }
  | Refusal;

/** T1: the same submission again is the same turn. */
export function decideAdmission(request: AdmissionRequest, facts: AdmissionFacts): Admission {
  const { same } = facts;
  if (same !== undefined) return isSameSubmission(same, request) ? { type: 'joined', turn: same } : { type: 'conflict' };
  const twin = request.joins === undefined ? undefined : facts.twin;
  if (twin !== undefined) return { type: 'joined', turn: twin };
  // Deleted since the client looked: nothing may run in it any more.
  if (request.session !== null && !facts.hasSession) return { type: 'unknown_session' };
  const unsettled = request.session === null ? [] : facts.unsettledInSession;
  const [running] = unsettled;
  if (running !== undefined && request.whenBusy === 'reject') return { type: 'busy', running: running.id };
  if (unsettled.length > request.limits.maxWaitingTurns) return { type: 'queue_full' };
  if (facts.unsettledOfTenant >= request.limits.maxRunningTurns) return { type: 'too_many' };
  // One that is being cancelled runs no more: the one behind it would run, and is the one that is interrupted.
  const interrupted = request.whenBusy === 'interrupt' ? unsettled.find(({ isCancelRequested }) => !isCancelRequested) : undefined;
  return {
    type: 'admitted',
    cancelRequestedAtMs: isCancelledEarly(facts.earlyCancelAtMs, request.createdAtMs) ? request.createdAtMs : null,
    interrupts: interrupted?.id,
  };
}

function isSameSubmission(turn: TurnRow, { tenant, bodyHash }: AdmissionRequest): boolean {
  return turn.tenant === tenant && turn.bodyHash === bodyHash && turn.erasedBy === null;
}

function isCancelledEarly(cancelledAtMs: number | undefined, createdAtMs: number): boolean {
  return cancelledAtMs !== undefined && cancelledAtMs > createdAtMs - earlyCancelMs;
}
