import { setTimeout as delay } from 'node:timers/promises';

/** Often enough for a test to go on at once, and seldom enough to leave the processor to what it waits for. */
const lookEveryMs = 5;

/**
 * Resolves once what is asked of the database, of Temporal or of a page holds. It has to be something that stays true: what holds
 * for a moment may be over between two looks, and then the wait lasts as long as the test may.
 */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(lookEveryMs);
}
