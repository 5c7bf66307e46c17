/** The database of a role, however long its server takes to come up. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { openStore } from '../roles/open-store.ts';
import { type Store, StoreBusyError } from '../store/ports/store.ts';

const firstWaitMs = 500;
const longestWaitMs = 5_000;

/**
 * Tries while its server cannot be reached, starts, or fails over; each failure is a line in the log.
 * @throws where it answers and cannot be used: a wrong password, a version that is too new; the reason of `signal` when it aborts
 */
export async function openDatabase(
  config: Pick<Config, 'databaseUrl' | 'postgres'>,
  log: Pick<Logger, 'warn'>,
  signal: AbortSignal,
): Promise<Store> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    signal.throwIfAborted();
    try {
      return await openStore(config);
    } catch (error) {
      if (!(error instanceof Error && error.cause instanceof StoreBusyError)) throw error;
      log.warn({ reason: error.message }, `The database cannot be opened for now; trying again in ${waitMs} ms`);
    }
    await sleep(waitMs, undefined, { signal });
  }
}
