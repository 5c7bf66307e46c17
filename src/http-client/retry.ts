/**
 * When a call is made again. An outage begins with the first failure and ends with the next sign of life (headers, an
 * event or a comment); within it, the waits grow. No outage is borne longer than `outageLimitMs`.
 */
import { CallError, type CallFailure } from './call-error.ts';

/** Longer than any restart of a gateway. Its turns go on without a viewer. */
export const outageLimitMs = 120_000;

export interface Outage {
  /** Failures in a row, this one included: from 1. */
  readonly failures: number;
  /** Since the first of them. */
  readonly ms: number;
}

/** A call that is about to be made again. */
export interface Retry {
  readonly failure: CallFailure;
  /** Failures in a row: from 1. */
  readonly failures: number;
  readonly waitMs: number;
}

const waitsMs = [100, 250, 500, 1_000] as const;
const longestWaitMs = 2_000;
const longestRetryAfterMs = 60_000;
const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** @returns undefined when the same call would fail again, or the outage has lasted too long */
export function retryDelayMs(failure: CallFailure, { failures, ms }: Outage): number | undefined {
  if (ms >= outageLimitMs) return undefined;
  const waitMs = waitsMs[failures - 1] ?? longestWaitMs;
  if (failure.type === 'unreachable') return waitMs;
  if (!(failure.shouldRetry ?? passingStatuses.has(failure.status))) return undefined;
  return Math.max(waitMs, Math.min(failure.retryAfterMs ?? 0, longestRetryAfterMs));
}

/** Counts the failures of one outage. */
export class OutageClock {
  #failures = 0;
  #firstAtMs = 0;

  signOfLife(): void {
    this.#failures = 0;
  }

  /** @throws {CallError} the failure itself, when it is not to be retried */
  retryAfter(failure: CallFailure): Retry {
    if (this.#failures === 0) this.#firstAtMs = performance.now();
    this.#failures += 1;
    const failures = this.#failures;
    const waitMs = retryDelayMs(failure, { failures, ms: performance.now() - this.#firstAtMs });
    if (waitMs === undefined) throw new CallError(failure);
    return { failure, failures, waitMs };
  }
}

export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: (retry: Retry) => void;
}

/**
 * Makes a call until it is answered.
 *
 * @throws {CallError} when it would fail again, or the gateway stays away for longer than `outageLimitMs`
 * @throws the reason of `signal`, at once when it aborts
 * @example
 *     import { GatewayClient, withRetries } from 'turnkeep/http-client';
 *
 *     const client = new GatewayClient({ baseUrl: 'http://127.0.0.1:8484/v1' });
 *     const conversation = await withRetries(() => client.json('POST', '/conversations', { body: {} }));
 */
export async function withRetries<Result>(call: () => Promise<Result>, { signal, onRetry }: RetryOptions = {}): Promise<Result> {
  const outage = new OutageClock();
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      const retry = outage.retryAfter(error.failure);
      onRetry?.(retry);
      await pause(retry.waitMs, signal);
    }
  }
}

/** @throws the reason of `signal`, at once when it aborts */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
