/**
 * Works of one process that want the same lock of the database wait for each other here, before they take a connection: those that
 * waited there would leave none for anybody else.
 */
import { StoreBusyError } from '../ports/store.ts';

export interface KeyedQueueOptions {
  /** How long a work waits to be the first of its key, ms. */
  readonly patienceMs: number;
  /** Works of one key that wait: the next one is refused at once. */
  readonly maxWaiting: number;
}

export class KeyedQueue {
  readonly #options: KeyedQueueOptions;
  /** Of each key that a work runs for, those that wait behind it, in their order. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(options: KeyedQueueOptions) {
    this.#options = options;
  }

  /**
   * @param key without one it waits for nobody
   * @throws `StoreBusyError` where its turn does not come in time: the work was not begun
   */
  async run<T>(key: string | undefined, work: () => Promise<T>): Promise<T> {
    if (key === undefined) return work();
    await this.#enter(key);
    try {
      return await work();
    } finally {
      this.#leave(key);
    }
  }

  async #enter(key: string): Promise<void> {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      this.#waiting.set(key, new Set());
      return;
    }
    const { patienceMs, maxWaiting } = this.#options;
    if (waiting.size >= maxWaiting) throw new StoreBusyError(`${maxWaiting} works wait for the same lock of the database`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      waiting.delete(resolve);
      reject(new StoreBusyError('the database is slow: works wait for the same lock'));
    }, patienceMs);
    waiting.add(resolve);
    await promise.finally(() => clearTimeout(timer));
  }

  #leave(key: string): void {
    const waiting = this.#waiting.get(key);
    const [next] = waiting ?? [];
    if (next === undefined) this.#waiting.delete(key);
    else {
      waiting?.delete(next);
      next();
    }
  }
}
