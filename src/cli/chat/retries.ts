/** Calls that are made until they are answered, as `reconnect.ts` has it. */
import { setTimeout as delay } from 'node:timers/promises';
import { CallError, type CallFailure } from './call-failure.ts';
import type { Piece } from './pieces.ts';
import { patienceMs, type Silence, waitBeforeRetry } from './reconnect.ts';

export type Show = (piece: Piece) => void;

/** Counts failures without a sign of life in between, and speaks of them once, when they last. */
export class Retries {
  readonly #show: Show;
  #failures = 0;
  #firstAt = 0;

  constructor(show: Show) {
    this.#show = show;
  }

  signOfLife(): void {
    this.#failures = 0;
  }

  after(failure: CallFailure): Silence {
    if (this.#failures === 0) this.#firstAt = performance.now();
    this.#failures += 1;
    // A connection that is back at once is nobody's concern.
    if (this.#failures === 2) {
      const what = failure.type === 'unreachable' ? failure.detail : `HTTP ${failure.status}`;
      this.#show({ kind: 'notice', text: `the gateway does not answer (${what}); trying for ${patienceMs / 60_000} minutes` });
    }
    return { failures: this.#failures, ms: performance.now() - this.#firstAt };
  }
}

/**
 * @returns undefined when `signal` was aborted first
 * @throws {CallError} when it would be of no use to go on
 */
export async function persistently<Answer>(call: () => Promise<Answer>, show: Show, signal: AbortSignal): Promise<Answer | undefined> {
  const retries = new Retries(show);
  while (!signal.aborted) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      const waitMs = waitBeforeRetry(error.failure, retries.after(error.failure));
      if (waitMs === undefined) throw error;
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}
