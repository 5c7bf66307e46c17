/**
 * At most so many at once, shared by tenants: one may have as many as are free, so that one alone has half of them at the most, two
 * a third each, and whoever comes finds some free (T14). The others wait: whoever has the fewest is next, and of a tenant the first.
 */
export class Slots {
  readonly #count: number;
  #taken = 0;
  readonly #held = new Map<string, number>();
  readonly #waiting = new Set<{ readonly tenant: string; readonly onTurn: () => void }>();

  constructor(count: number) {
    this.#count = count;
  }

  /**
   * Resolves when there is a slot.
   * @returns gives it back
   * @throws the signal's reason, where that comes first
   */
  async take(tenant: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    // Those of a tenant that wait have no room: nobody of it overtakes them.
    if (this.#hasRoom(tenant)) this.#change(tenant, 1);
    else await this.#wait(tenant, signal);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#change(tenant, -1);
      this.#next();
    };
  }

  #hasRoom(tenant: string): boolean {
    return this.#heldBy(tenant) < this.#count - this.#taken;
  }

  #heldBy(tenant: string): number {
    return this.#held.get(tenant) ?? 0;
  }

  #change(tenant: string, by: 1 | -1): void {
    const held = this.#heldBy(tenant) + by;
    this.#taken += by;
    if (held === 0) this.#held.delete(tenant);
    else this.#held.set(tenant, held);
  }

  /** One that is given back may be room for several: its tenant has fewer, and more are free. */
  #next(): void {
    for (;;) {
      const able = [...this.#waiting].filter(({ tenant }) => this.#hasRoom(tenant));
      const [first] = able.toSorted((one, other) => this.#heldBy(one.tenant) - this.#heldBy(other.tenant));
      if (first === undefined) return;
      // It has the slot as it is given back: a newcomer cannot take it in between.
      this.#waiting.delete(first);
      this.#change(first.tenant, 1);
      first.onTurn();
    }
  }

  async #wait(tenant: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { tenant, onTurn: resolve };
    const onAbort = (): void => {
      if (this.#waiting.delete(waiting)) reject(signal.reason);
    };
    this.#waiting.add(waiting);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
