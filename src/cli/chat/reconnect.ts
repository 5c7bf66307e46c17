/** What to do after a call to the gateway failed, or a stream was cut. */
import type { CallFailure } from './call-failure.ts';
import type { Progress } from './progress.ts';

/** How long there has been no sign of life, and how often that was tried. Both start anew with every event. */
export interface Silence {
  /** Failures in a row, this one included: from 1. */
  readonly failures: number;
  readonly ms: number;
}

/** Longer than any restart; the turn itself outlives it in any case. */
export const patienceMs = 120_000;

const waitsMs = [100, 250, 500, 1_000] as const;
const longestWaitMs = 2_000;
const longestRetryAfterMs = 60_000;
const passing: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** @returns milliseconds to wait before the same call is made again; undefined: it would be of no use. */
export function waitBeforeRetry(failure: CallFailure, { failures, ms }: Silence): number | undefined {
  if (ms >= patienceMs) return undefined;
  const waitMs = waitsMs[failures - 1] ?? longestWaitMs;
  if (failure.type === 'unreachable') return waitMs;
  if (!(failure.shouldRetry ?? passing.has(failure.status))) return undefined;
  return Math.max(waitMs, Math.min(failure.retryAfterMs ?? 0, longestRetryAfterMs));
}

export type NextCall =
  /** The same body under the same `Idempotency-Key`: the gateway has the turn once, whichever answer was lost. */
  | { readonly type: 'post'; readonly waitMs: number }
  /** `after` as `starting_after`; undefined: from the first event. */
  | { readonly type: 'resume'; readonly id: string; readonly after: number | undefined; readonly waitMs: number }
  | { readonly type: 'give_up' };

export function nextCall(failure: CallFailure, { id, lastSeq }: Progress, silence: Silence): NextCall {
  const waitMs = waitBeforeRetry(failure, silence);
  if (waitMs === undefined) return { type: 'give_up' };
  if (id === undefined) return { type: 'post', waitMs };
  return { type: 'resume', id, after: lastSeq < 0 ? undefined : lastSeq, waitMs };
}
