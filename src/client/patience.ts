/** How long somebody waits: a caller for a busy database, who is refused then and may ask again, or anybody for an answer. */
import { retryWhileBusy } from '../store/retry-while-busy.ts';

const patienceMs = 5_000;

/**
 * @param signal ends the waiting, never a call that is under way
 * @throws `StoreBusyError` when the database has not taken it in 5 s; the signal's reason once it aborts
 */
export function whileCallerWaits<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return retryWhileBusy(work, signal, patienceMs);
}

/** @throws when there is no answer in time; the work goes on. Temporal's client goes on for ten seconds, whatever its deadline */
export async function inTime<T>(work: Promise<T>, withinMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${withinMs} ms`)), withinMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
