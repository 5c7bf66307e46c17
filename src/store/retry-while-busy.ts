/** Asks a busy database again until it takes the call: what happened must be written down, however long it takes. */
import { setTimeout as delay } from 'node:timers/promises';
import { StoreBusyError } from './ports/store.ts';

const firstPauseMs = 20;
const longestPauseMs = 1_000;

/** @throws whatever `work` throws that is not `StoreBusyError`; the signal's reason once it aborts. */
export async function retryWhileBusy<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreBusyError)) throw error;
      await delay(pauseMs, undefined, signal === undefined ? {} : { signal });
    }
  }
}
