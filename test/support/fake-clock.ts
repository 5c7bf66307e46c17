/**
 * A clock of its own for all that runs in this process: a schedule of minutes takes as long as its work. Time goes on only
 * where nothing else is left to do. Microtasks and `setImmediate` stay as they are.
 */
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import promises from 'node:timers/promises';
import { type Timer, TimerQueue } from './timer-queue.ts';

interface Entry extends Timer {
  readonly run: () => void;
  readonly everyMs?: number;
}

interface SleepOptions {
  readonly signal?: AbortSignal;
}

/** How often the event loop turns before the next timer is due: a commit of the store, and what follows of it, takes a few. */
const turnsBetween = 4;
/** Time goes on in steps no longer than this. */
const longestStepMs = 100;

const realImmediate = setImmediate;

export class FakeClock implements Disposable {
  nowMs = 1_800_000_000_000;
  readonly #startMs = this.nowMs;
  readonly #queue = new TimerQueue<Entry>();
  /** By the number that it was set with: those that are not cleared. Of a cleared one the queue learns when it is due. */
  readonly #entries = new Map<number, Entry>();
  readonly #restore: (() => void)[] = [];
  #count = 0;

  constructor() {
    const set = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => this.#add(() => run(...args), ms);
    const setEvery = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => this.#add(() => run(...args), ms, true);
    const clear = (timer: unknown): void => void (timer != null && this.#entries.delete(Number(timer)));
    const sleep = async <T>(ms = 0, value?: T, { signal }: SleepOptions = {}): Promise<T | undefined> =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason as Error);
        const timer = this.#add(() => resolve(value), ms);
        signal?.addEventListener(
          'abort',
          () => {
            clear(timer);
            reject(signal.reason as Error);
          },
          { once: true },
        );
        return undefined;
      });
    for (const target of [globalThis, timers] as const) {
      this.#replace(target, 'setTimeout', set);
      this.#replace(target, 'setInterval', setEvery);
      this.#replace(target, 'clearTimeout', clear);
      this.#replace(target, 'clearInterval', clear);
    }
    this.#replace(promises, 'setTimeout', sleep);
    this.#replace(Date, 'now', () => Math.floor(this.nowMs));
    this.#replace(performance, 'now', () => this.nowMs - this.#startMs);
    this.#replace(AbortSignal, 'timeout', (ms: number) => {
      const controller = new AbortController();
      this.#add(() => controller.abort(new DOMException('timeout', 'TimeoutError')), ms);
      return controller.signal;
    });
    syncBuiltinESMExports();
  }

  /** @param maxMs of the clock; @throws when they are over before `isDone` */
  async run(isDone: () => boolean, maxMs: number): Promise<void> {
    for (const endMs = this.nowMs + maxMs; !isDone();) {
      for (let turn = 0; turn < turnsBetween; turn += 1) await new Promise((resolve) => realImmediate(resolve));
      if (this.nowMs > endMs) throw new Error(`not done after ${maxMs} ms`);
      this.#advance();
    }
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.#add(resolve, ms));
  }

  [Symbol.dispose](): void {
    for (const restore of this.#restore) restore();
    this.#entries.clear();
    syncBuiltinESMExports();
  }

  /** To the next timer, which is run with all that are due by then; not those that they set. */
  #advance(): void {
    const longestMs = this.nowMs + longestStepMs;
    this.#dropCleared();
    this.nowMs = Math.max(this.nowMs, Math.min(longestMs, this.#queue.first?.atMs ?? longestMs));
    const due: Entry[] = [];
    for (let next = this.#queue.first; next !== undefined && next.atMs <= this.nowMs; next = this.#queue.first) {
      due.push(next);
      this.#queue.takeFirst();
    }
    for (const entry of due) {
      if (!this.#entries.has(entry.order)) continue;
      if (entry.everyMs === undefined) this.#entries.delete(entry.order);
      else {
        entry.atMs = this.nowMs + entry.everyMs;
        this.#queue.add(entry);
      }
      entry.run();
    }
  }

  #dropCleared(): void {
    for (let next = this.#queue.first; next !== undefined && !this.#entries.has(next.order); next = this.#queue.first) {
      this.#queue.takeFirst();
    }
  }

  #add(run: () => void, ms: number, isRepeated = false): object {
    this.#count += 1;
    const id = this.#count;
    const atMs = this.nowMs + Math.max(1, ms);
    const entry = { atMs, order: id, run, ...(isRepeated ? { everyMs: Math.max(1, ms) } : {}) };
    this.#entries.set(id, entry);
    this.#queue.add(entry);
    const timer = { ref: () => timer, unref: () => timer, hasRef: () => true, refresh: () => timer, [Symbol.toPrimitive]: () => id };
    return timer;
  }

  #replace(target: object, name: string, value: unknown): void {
    const before = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
    this.#restore.push(() => {
      if (before === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, before);
    });
  }
}
