/**
 * A thread that plays schedules, one after the other. It has a clock and a chance of its own; and of the hooks by which Node's test
 * runner follows each promise, a fifth of all that a schedule costs, it has none.
 */
import assert from 'node:assert/strict';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import type { Outcome } from './play.ts';

interface Order {
  readonly seed: number;
  readonly turns: number;
}

type Answer = { readonly outcome: Outcome } | { readonly error: unknown };

export class ScheduleWorker implements AsyncDisposable {
  #worker: Worker | undefined;

  /** Rejects with what the schedule fails with. @param signal ends the thread in the midst of it */
  async play(order: Order, signal: AbortSignal): Promise<Outcome> {
    // What the runner loads into the main thread would bring its hooks along.
    this.#worker ??= new Worker(new URL(import.meta.url), { execArgv: [] });
    const worker = this.#worker;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort);
    worker.once('message', resolve).once('error', reject);
    worker.postMessage(order, []);
    try {
      const answer = await promise;
      if ('outcome' in answer) return answer.outcome;
      throw answer.error;
    } catch (error) {
      // Whatever is left of a schedule that failed would go on beside the next one.
      await this[Symbol.asyncDispose]();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      worker.off('message', resolve).off('error', reject);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }
}

if (!isMainThread) {
  const { playSeed } = await import('./play.ts');
  assert.ok(parentPort);
  const port = parentPort;
  port.on('message', ({ seed, turns }: Order) => {
    playSeed(seed, turns).then(
      (outcome) => port.postMessage({ outcome } satisfies Answer),
      (error: unknown) => port.postMessage({ error } satisfies Answer),
    );
  });
}
