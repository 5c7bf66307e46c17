/** Waits that have an end: a test that waits in vain fails there, and says for what, instead of holding up the run. */
const usualPatienceMs = 15_000;

/** @param seen what there was instead, for the message */
export async function within<T>(what: string, awaited: Promise<T>, seen?: () => string, patienceMs = usualPatienceMs): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`waited in vain for ${what}${seen === undefined ? '' : `; what there was: ${seen()}`}`));
  }, patienceMs);
  try {
    return await Promise.race([awaited, promise]);
  } finally {
    clearTimeout(timer);
  }
}
