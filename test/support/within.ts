/** Waits that have an end: a test that waits in vain fails there, and says for what, instead of holding up the run. */

/** Nothing that tests wait for takes as long, on a machine that is busy with other things too. */
export const usualPatienceMs = 60_000;

// Those of the system, whatever clock a test puts in their place.
const { setTimeout, clearTimeout } = globalThis;

/** @param seen what there was instead, for the message */
export async function within<T>(what: string, awaited: Promise<T>, seen?: () => string, patienceMs = usualPatienceMs): Promise<T> {
  // Made here, where its stack still leads to who waits.
  const inVain = new Error(`waited in vain for ${what}`);
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    if (seen !== undefined) inVain.message += `; what there was: ${seen()}`;
    reject(inVain);
  }, patienceMs);
  try {
    return await Promise.race([awaited, promise]);
  } finally {
    clearTimeout(timer);
  }
}
