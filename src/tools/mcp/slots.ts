/** At most so many at once; the others wait in their order. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Resolves when there is a slot.
   * @returns gives it back
   * @throws the signal's reason, where that comes first
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const [next] = this.#waiting;
      if (next === undefined) this.#free += 1;
      else next();
    };
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // It gets the slot as it is given back: a newcomer cannot take it in between.
    const onTurn = (): void => {
      this.#waiting.delete(onTurn);
      resolve();
    };
    const onAbort = (): void => {
      if (this.#waiting.delete(onTurn)) reject(signal.reason);
    };
    this.#waiting.add(onTurn);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
