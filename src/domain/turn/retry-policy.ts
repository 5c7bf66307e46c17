/**
 * The law of retries in numbers. T3: three requests a step, with waits of 1 s and 2 s between them.
 * T4: transport failures and a busy provider share that one budget.
 */

import { type FailureCode, failureRules } from '../failure.ts';

/** Requests a step may make at the most, whatever the mix of reasons. */
export const requestsPerStep = 3;

/** The longest `Retry-After` that is waited out; a longer one fails the turn at once. */
export const longestBusyWaitMs = 60_000;

/** How long to wait before request number `request` (1-based): 0, 1 000, 2 000 ms. */
export function delayBeforeMs(request: number): number {
  return Math.max(0, request - 1) * 1_000;
}

/** What a busy provider said about the next request. */
export interface BusyHint {
  /** From `Retry-After`, in ms; absent when there was none. */
  readonly retryAfterMs?: number;
  /** Quota, or `x-should-retry: false`: asking again is pointless. */
  readonly final?: boolean;
}

/** The wait before the next request to a busy provider in ms, or undefined when the turn must fail now. */
export function busyWaitMs(hint: BusyHint, requestsMade: number): number | undefined {
  if (hint.final === true || requestsMade >= requestsPerStep) return undefined;
  const waitMs = hint.retryAfterMs ?? delayBeforeMs(requestsMade + 1);
  return waitMs > longestBusyWaitMs ? undefined : waitMs;
}

/** Why another request followed a failed one, or was to follow it. */
export const retryingReasons = ['retry_delay', 'retry_after', 'hand_over', 'shorter_prompt', 'without_reasoning', 'compaction'] as const;

/** Why none did. */
export const endingReasons = ['started', 'requests_spent', 'not_retryable', 'provider_refuses', 'wait_too_long', 'turn_over'] as const;

export type RetryReason = (typeof retryingReasons)[number] | (typeof endingReasons)[number];

export interface RetryFacts {
  readonly hasStarted: boolean;
  /** For this step so far. */
  readonly requestsMade: number;
  /** Of the turn. */
  readonly timeLeftMs: number;
}

/** `waitMs` is absent where no request may follow. */
export interface RetryDecision {
  readonly reason: RetryReason;
  readonly waitMs?: number;
}

/** May another request follow a failed one, after which wait, and why? Nothing that has started is asked for again (T2), by a busy provider neither. */
export function decideRetry({ code, busy }: { readonly code: FailureCode; readonly busy?: BusyHint }, facts: RetryFacts): RetryDecision {
  const { hasStarted, requestsMade, timeLeftMs } = facts;
  if (hasStarted) return { reason: 'started' };
  if (busy === undefined && !failureRules[code].retryable) return { reason: 'not_retryable' };
  if (busy?.final === true) return { reason: 'provider_refuses' };
  if (requestsMade >= requestsPerStep) return { reason: 'requests_spent' };
  if (busy === undefined) return { reason: 'retry_delay', waitMs: delayBeforeMs(requestsMade + 1) };
  const waitMs = busyWaitMs(busy, requestsMade);
  if (waitMs === undefined) return { reason: 'wait_too_long' };
  // The turn would be over before the provider takes the request.
  if (waitMs > timeLeftMs) return { reason: 'turn_over' };
  return { reason: busy.retryAfterMs === undefined ? 'retry_delay' : 'retry_after', waitMs };
}
