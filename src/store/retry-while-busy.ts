/** Asks a busy database again until it takes the call: what happened must be written down, however long it takes. */
import { setTimeout as delay } from 'node:timers/promises';
import { StoreBusyError } from './ports/store.ts';

const firstPauseMs = 20;
const longestPauseMs = 1_000;

/**
 * @param signal ends the waiting, never a call that is under way
 * @param patienceMs how long it asks; without end where nothing is said
 * @throws whatever `work` throws that is not `StoreBusyError`, and that too once the patience is over; the signal's reason once it aborts
 */
export async function retryWhileBusy<T>(work: () => Promise<T>, signal?: AbortSignal, patienceMs = Number.POSITIVE_INFINITY): Promise<T> {
  const startedAt = performance.now();
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreBusyError)) throw error;
      if (performance.now() + pauseMs - startedAt > patienceMs) throw error;
      await delay(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    }
  }
}
