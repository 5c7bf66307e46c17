import assert from 'node:assert/strict';

const tries = 5;

/**
 * For what has to happen before a limit of time: where the machine was too slow for that, it is told again with four times the time.
 *
 * @param tell resolves with whether it happened; whatever must hold in either case it asserts itself
 */
export async function inTime(firstMs: number, tell: (limitMs: number) => Promise<boolean>): Promise<void> {
  let limitMs = firstMs;
  await retold(async () => {
    const isInTime = await tell(limitMs);
    limitMs *= 4;
    return isInTime;
  });
}

/** The same for a limit that is turnkeep's own, such as the grace of a cancel. */
export async function retold(tell: () => Promise<boolean>): Promise<void> {
  for (let left = tries; left > 0; left -= 1) if (await tell()) return;
  assert.fail(`it did not happen in time, ${tries} times`);
}
