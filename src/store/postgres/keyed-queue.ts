/**
 * Works of one process that want the same lock of the database wait for each other here, before they take a connection: those that
 * waited there would leave none for anybody else.
 */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<void>>();

  /** @param key without one it waits for nobody */
  async run<T>(key: string | undefined, work: () => Promise<T>): Promise<T> {
    if (key === undefined) return work();
    const before = this.#last.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last.set(key, promise);
    await before;
    try {
      return await work();
    } finally {
      if (this.#last.get(key) === promise) this.#last.delete(key);
      resolve();
    }
  }
}
