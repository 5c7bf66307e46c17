/**
 * The law of retries in numbers. T3: three requests a step, with waits of 1 s and 2 s between them.
 * T4: transport failures and a busy provider share that one budget.
 */

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
