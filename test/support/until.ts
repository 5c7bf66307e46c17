import { setTimeout as delay } from 'node:timers/promises';
import { usualPatienceMs } from './within.ts';

/** Often enough for a test to go on at once, and seldom enough to leave the processor to what it waits for. */
const lookEveryMs = 5;

/**
 * Resolves once what is asked of the database, of Temporal or of a page holds. It has to be something that stays true: what holds
 * for a moment may be over between two looks. Rejects with what it asked when it never does.
 */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  // Made here, where its stack still leads to who waits.
  const inVain = new Error(`waited in vain until ${String(holds)}`);
  const endsAt = process.hrtime.bigint() + BigInt(usualPatienceMs) * 1_000_000n;
  while (!(await holds())) {
    if (process.hrtime.bigint() > endsAt) throw inVain;
    await delay(lookEveryMs);
  }
}
