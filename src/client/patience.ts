/** How long a caller waits for a busy database: whoever is kept longer is refused, and may ask again. */
import { retryWhileBusy } from '../store/retry-while-busy.ts';

const patienceMs = 5_000;

/**
 * @param signal ends the waiting, never a call that is under way
 * @throws `StoreBusyError` when the database has not taken it in 5 s; the signal's reason once it aborts
 */
export function whileCallerWaits<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return retryWhileBusy(work, signal, patienceMs);
}
