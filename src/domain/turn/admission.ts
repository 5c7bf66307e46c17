/**
 * How a submitted turn is taken in: which turn it joins, what refuses it, whom it interrupts. Pure: a driver of the store
 * gathers the facts inside its transaction, asks `decideAdmission`, and writes what that says in the same transaction.
 */
import type { ParentCall, TurnRow } from './turn.ts';

/** A cancel that came before its turn counts this long. */
export const earlyCancelMs = 10 * 60_000;

/** A client's own retry joins a settled turn this long: no client has its end. */
export const resendWindowMs = 10 * 60_000;

/** What decides of a submitted turn. Times are milliseconds since the epoch. */
export interface AdmissionRequest {
  readonly tenant: string;
  readonly session: string | null;
  /** What the client calls the turn; ids are a tenant's own: another tenant may have chosen the same. */
  readonly chosenId?: string;
  readonly idempotencyKey: string | null;
  /** Equal for two submissions that say the same. */
  readonly bodyHash: string;
  /** When the request arrived. The turn is created later: the database may keep a submission waiting. */
  readonly receivedAtMs: number;
  readonly createdAtMs: number;
  /** The turn this one follows, outside of a session, as the tenant calls it. */
  readonly previous: string | null;
  /** The call of an agent that it carries out. */
  readonly parent?: ParentCall;
  /** A client's own retry of an earlier request. */
  readonly isResend: boolean;
  /** The submission has neither an id nor an idempotency key of the client's: it may join its twin by its body alone. */
  readonly joinsTwin: boolean;
  /** While an earlier turn of the session is unsettled: wait for it, be refused, or have it cancelled. */
  readonly whenBusy: 'enqueue' | 'reject' | 'interrupt';
  /** The provider fails for everybody, and long since: the turn would not wait for it. For so long, in ms. */
  readonly refusedForMs?: number;
  readonly limits: {
    /** Turns of one session that may wait behind the one that runs. */
    readonly maxWaitingTurns: number;
    /** Unsettled turns of one tenant. */
    readonly maxRunningTurns: number;
  };
}

export interface UnsettledTurn extends Pick<TurnRow, 'id' | 'publicId'> {
  /** Its cancel was accepted. */
  readonly isCancelRequested: boolean;
}

/**
 * What the database knows, at the time of the decision. Facts are looked at in this order, each at most once, and only
 * while those before it leave the case open: a driver may gather all at once, or each when it is looked at (a getter).
 */
export interface AdmissionFacts {
  /** The tenant's turn that it calls by the chosen id. Not looked at without one. */
  readonly ofId: TurnRow | undefined;
  /** The tenant's turn that has this idempotency key. Not looked at without one. */
  readonly ofKey: TurnRow | undefined;
  /**
   * The latest turn of this tenant, session and body that is not erased, and either unsettled or settled within
   * `resendWindowMs` with an end that no client has acknowledged. Not looked at without `joinsTwin`.
   */
  readonly twin: TwinFacts | undefined;
  /** The tenant's turn `previous`. Not looked at without one. */
  readonly previous: PreviousFacts | undefined;
  /** The session is there, and the tenant's. Not looked at outside of a session. */
  readonly hasSession: boolean;
  /** The unsettled turns of the session, oldest first: the first runs, the others wait. Not looked at outside of a session. */
  readonly unsettledInSession: readonly UnsettledTurn[];
  readonly unsettledOfTenant: number;
  /** When the tenant asked to cancel a turn of the chosen id before there was one. Not looked at without one. */
  readonly earlyCancelAtMs: number | undefined;
  /** The turn that called it has its end, or is gone. Not looked at without one. */
  readonly isParentOver: boolean;
}

export interface PreviousFacts extends Pick<TurnRow, 'settledAtMs' | 'erasedBy'> {
  /** A turn before it in its session has no end yet: it was cancelled while it waited. Not looked at where it has no end itself. */
  readonly isBehindUnsettled: boolean;
}

/** A turn with the same body. */
export interface TwinFacts {
  readonly turn: TurnRow;
  /** It was made by a client's own retry. */
  readonly isResend: boolean;
}

export type Refusal =
  /** The id or the idempotency key belongs to another request. */
  | { readonly type: 'conflict' }
  /** The session was deleted meanwhile. */
  | { readonly type: 'unknown_session' }
  /** The turn it follows is not there (any more). */
  | { readonly type: 'unknown_previous' }
  /** The turn it follows, or one before that, has no end yet. */
  | { readonly type: 'unsettled_previous' }
  /** `running`: as the tenant calls it. */
  | { readonly type: 'busy'; readonly running: string }
  | { readonly type: 'queue_full' }
  | { readonly type: 'too_many' }
  | { readonly type: 'provider_away'; readonly retryAfterMs: number };

export type Admission =
  | {
      readonly type: 'admitted';
      /** Its cancel came first, or its parent's end: it is in, as one to be cancelled, and the early cancel is used up. Else null. */
      readonly cancelRequestedAtMs: number | null;
      /** Nothing of its session runs or waits before it: it may run now. */
      readonly isReady: boolean;
      /** The turn whose cancel is accepted in the same commit. */
      readonly interrupts: string | undefined;
    }
  | { readonly type: 'joined'; readonly turn: TurnRow }
  | Refusal;

/** The ends of the last so many ms say how fast a tenant's turns end. */
export const countedMs = 30_000;
/** More than this is as good as this. */
export const mostEnded = 1_000;
const [shortestRetryMs, longestRetryMs] = [1_000, 30_000];

/**
 * When there is room for a turn that was refused as one too many, in ms.
 * @param ended the tenant's turns that ended within `countedMs`
 * @param place among those that wait for room: 1 is the next
 */
export function retryAfterMs(ended: number, place: number): number {
  if (ended === 0) return longestRetryMs;
  return Math.min(longestRetryMs, Math.max(shortestRetryMs, Math.ceil((place * countedMs) / ended)));
}

/** T1: the same submission again is the same turn. */
export function decideAdmission(request: AdmissionRequest, facts: AdmissionFacts): Admission {
  const { chosenId } = request;
  const ofId = chosenId === undefined ? undefined : facts.ofId;
  const ofKey = request.idempotencyKey === null ? undefined : facts.ofKey;
  // One key, one turn: it cannot have a second id.
  if (ofKey !== undefined && chosenId !== undefined && ofKey.publicId !== chosenId) return { type: 'conflict' };
  const same = ofId ?? ofKey;
  if (same !== undefined) return isSameSubmission(same, request) ? { type: 'joined', turn: same } : { type: 'conflict' };
  const twin = request.joinsTwin ? facts.twin : undefined;
  if (twin !== undefined && isTwin(request, twin)) return { type: 'joined', turn: twin.turn };
  // Deleted since the client looked: nothing may run in it any more.
  if (request.session !== null && !facts.hasSession) return { type: 'unknown_session' };
  const pastRefusal = request.previous === null ? undefined : refusalOfPast(facts.previous);
  if (pastRefusal !== undefined) return pastRefusal;
  const unsettled = request.session === null ? [] : facts.unsettledInSession;
  const [running] = unsettled;
  if (running !== undefined && request.whenBusy === 'reject') return { type: 'busy', running: running.publicId };
  if (unsettled.length > request.limits.maxWaitingTurns) return { type: 'queue_full' };
  if (facts.unsettledOfTenant >= request.limits.maxRunningTurns) return { type: 'too_many' };
  // A turn that waits for others in its session may find the provider back.
  const { refusedForMs } = request;
  if (refusedForMs !== undefined && running === undefined) return { type: 'provider_away', retryAfterMs: refusedForMs };
  // One that is being cancelled runs no more: the one behind it would run, and is the one that is interrupted.
  const interrupted = request.whenBusy === 'interrupt' ? unsettled.find(({ isCancelRequested }) => !isCancelRequested) : undefined;
  return {
    type: 'admitted',
    isReady: running === undefined,
    cancelRequestedAtMs: isCancelledEarly(request, facts) || isOrphan(request, facts) ? request.createdAtMs : null,
    interrupts: interrupted?.id,
  };
}

function isSameSubmission(turn: TurnRow, { bodyHash }: AdmissionRequest): boolean {
  return turn.bodyHash === bodyHash && turn.erasedBy === null;
}

/**
 * A resend joins the turn of its original. An original joins that of its resend, if it arrived before that was made: the
 * database kept it waiting, and its client has given it up. A later request with the same words is a new message.
 */
function isTwin({ isResend, receivedAtMs }: AdmissionRequest, twin: TwinFacts): boolean {
  return isResend || (twin.isResend && receivedAtMs <= twin.turn.createdAtMs);
}

/** A turn follows what is there, and what is known with all that was said before it. */
function refusalOfPast(previous: PreviousFacts | undefined): Refusal | undefined {
  if (previous === undefined || previous.erasedBy !== null) return { type: 'unknown_previous' };
  return previous.settledAtMs === null || previous.isBehindUnsettled ? { type: 'unsettled_previous' } : undefined;
}

function isCancelledEarly({ chosenId, createdAtMs }: AdmissionRequest, facts: AdmissionFacts): boolean {
  const cancelledAtMs = chosenId === undefined ? undefined : facts.earlyCancelAtMs;
  return cancelledAtMs !== undefined && cancelledAtMs > createdAtMs - earlyCancelMs;
}

/** Nobody waits for what it says. */
function isOrphan({ parent }: AdmissionRequest, facts: AdmissionFacts): boolean {
  return parent !== undefined && facts.isParentOver;
}
