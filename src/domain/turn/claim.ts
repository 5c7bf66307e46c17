/**
 * May a request be sent for a step of a turn? Pure: a driver of the store gathers the facts inside its transaction, asks
 * `decideClaim`, and writes what that says in the same transaction.
 */
import { failureOf } from '../failure.ts';
import type { KeptResponse } from './kept-response.ts';
import type { Away } from './breaker.ts';
import { isSettled } from '../response/response.ts';
import { longestBusyWaitMs, requestsPerStep } from './retry-policy.ts';
import type { TurnRow } from './turn.ts';
import type { RequestedOutcome, TurnStatus } from './turn-state.ts';

/**
 * What the database knows, at the time of the decision, by its own clock. Facts are looked at in this order, each at most
 * once, and only while those before it leave the case open: a driver may gather all at once, or each when it is looked at
 * (a getter).
 */
export interface ClaimFacts {
  readonly turn: TurnRow;
  /** How much longer the lease of an attempt lasts that has not ended, in ms; 0 or less without one. */
  readonly leaseLeftMs: number;
  /** The step has its whole answer, and the turn goes on with the next one. */
  readonly isOver: boolean;
  /** The calls of tools that this step is to tell the model of: how many have no end, and whether the turn ends with them. */
  readonly round: { readonly open: number; readonly isLast: boolean };
  /** The attempt of this step that has no end, and whose answer its provider keeps. */
  readonly kept: KeptAttempt | undefined;
  /** A request of this step was answered with something to show, whoever sent it. */
  readonly hasStarted: boolean;
  /** The turn has not come to this step yet: the one in front of it is not over. */
  readonly isAhead: boolean;
  /** The requests of this step that were booked, however they ended. */
  readonly requestsMade: number;
  /** How much longer the next request is to wait after the last one, in ms; 0 or less when it is due. */
  readonly waitLeftMs: number;
  /** Of a provider that fails turn after turn, as whoever claims knows it; undefined: it may be asked. */
  readonly away: Away | undefined;
}

export interface KeptAttempt {
  readonly attempt: number;
  readonly response: KeptResponse;
}

/**
 * `granted` and `tools` raise the epoch: earlier requests of the step that have no end are lost, and are to be booked so. Behind any
 * other decision whoever holds the journal may still end its request, and the turn (T6).
 */
export type ClaimDecision =
  | { readonly type: 'settled'; readonly settled: TurnStatus }
  /** The step is over: the next one is to be asked for. */
  | { readonly type: 'over' }
  /**
   * A step in front of it is to be asked for first: whoever comes with this one (a run that was begun by hand, or that
   * remembers more than a database restored from a copy) waits for those who carry out that step (T2, T7).
   */
  | { readonly type: 'ahead' }
  /** Calls of tools are to be carried out before the request. */
  | { readonly type: 'tools'; readonly isLast: boolean }
  /** Another attempt runs, and its lease lives: it is to be waited for. */
  | { readonly type: 'held'; readonly leaseLeftMs: number }
  /** The step is never asked again (T2). */
  | { readonly type: 'started' }
  /** A cancel was accepted before: the model is not asked at all (T5). */
  | { readonly type: 'cancelled' }
  /** The step's requests are spent (T3). */
  | { readonly type: 'exhausted' }
  /** The wait behind the last request is not over (T3). */
  | { readonly type: 'not_due'; readonly waitLeftMs: number }
  /** Nothing is sent to its provider just now, and nothing of its requests used up. `requestsMade`: of this step. */
  | ({ readonly type: 'away'; readonly requestsMade: number } & Away)
  /**
   * `attempt`: the number of the request, from 1. `response`: that request was made, by whoever is lost, and its answer is to be
   * read on: nothing is asked again, and nothing booked (T2).
   */
  | { readonly type: 'granted'; readonly attempt: number; readonly response?: KeptResponse };

export function decideClaim(facts: ClaimFacts): ClaimDecision {
  const { turn } = facts;
  const settled = settledStatusOf(turn);
  if (settled !== undefined) return { type: 'settled', settled };
  if (facts.isOver) return { type: 'over' };
  const { leaseLeftMs } = facts;
  if (leaseLeftMs > 0) return { type: 'held', leaseLeftMs };
  // A cancelled answer is not read on; whoever ends the turn stops it.
  const kept = turn.cancelRequestedAtMs === null ? facts.kept : undefined;
  if (kept !== undefined) return { type: 'granted', ...kept };
  if (facts.hasStarted) return { type: 'started' };
  if (turn.cancelRequestedAtMs !== null) return { type: 'cancelled' };
  if (facts.isAhead) return { type: 'ahead' };
  const { round } = facts;
  if (round.open > 0 || round.isLast) return { type: 'tools', isLast: round.isLast };
  const { requestsMade } = facts;
  if (requestsMade >= requestsPerStep) return { type: 'exhausted' };
  const { waitLeftMs } = facts;
  // A longer wait than there is says that the clock was set back behind it.
  if (waitLeftMs > 0 && waitLeftMs <= longestBusyWaitMs) return { type: 'not_due', waitLeftMs };
  const { away } = facts;
  return away === undefined ? { type: 'granted', attempt: requestsMade + 1 } : { type: 'away', requestsMade, ...away };
}

/** The end of a turn that is not asked for any more, by what its claim was refused for. */
export function endOfRefusal(type: 'started' | 'cancelled' | 'exhausted'): RequestedOutcome {
  switch (type) {
    case 'started':
      // Whoever began this answer is gone, and it is never asked for again (T2).
      return { status: 'failed', failure: failureOf('worker_lost') };
    case 'cancelled':
      return { status: 'cancelled' };
    case 'exhausted':
      return { status: 'failed', failure: failureOf('transport_failed') };
  }
}

/** The end that a turn has (T6); undefined while it has none. */
export function settledStatusOf({ status, errorCode }: TurnRow): TurnStatus | undefined {
  return isSettled(status) ? { status, code: errorCode } : undefined;
}
