/** Named gates that hold scripts until a test releases them, so that no test needs to sleep. */
export class Gates {
  readonly #released = new Set<string>();
  readonly #reached = new Set<string>();
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Lets every script pass the gate, now and later. */
  release(name: string): void {
    this.#released.add(name);
    this.#wake(`released ${name}`);
  }

  /** Resolves once a script has come to the gate: all steps before it have been written. */
  async reached(name: string): Promise<void> {
    if (!this.#reached.has(name)) await this.#until(`reached ${name}`);
  }

  /** Resolves once the gate is open, or the signal aborted. */
  async pass(name: string, signal: AbortSignal): Promise<void> {
    this.#reached.add(name);
    this.#wake(`reached ${name}`);
    if (this.#released.has(name) || signal.aborted) return;
    await Promise.race([this.#until(`released ${name}`), untilAborted(signal)]);
  }

  async #until(key: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), resolve]);
    await promise;
  }

  #wake(key: string): void {
    for (const resolve of this.#waiting.get(key) ?? []) resolve();
    this.#waiting.delete(key);
  }
}

/** Resolves, rather than rejects, when the signal aborts. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}
