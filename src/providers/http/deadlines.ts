/**
 * The deadlines of one request, one at a time: the first event, the next event, usage after the finish.
 *
 * They run only while the network is waited for: a caller that is slow to take an event does not make the model late.
 * `restart` stores the time and keeps the running timer, which looks at the stored time when it fires: so a token
 * costs a reading of the clock and no timer.
 *
 * A process that stood still (SIGSTOP, a laptop that slept) finds its timers due before it has read what arrived
 * meanwhile: each timer here lets the sockets be read once before it judges.
 */

/** Also the `detail` of a `model_timeout`. */
export type DeadlineName = 'first_event' | 'next_event' | 'usage';

/** Calls back once, after this time and after the sockets have been read once more. Disposing it calls it off. */
export function afterReading(ms: number, callback: () => void): Disposable {
  // The event loop goes timers, sockets, immediates.
  let immediate: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => (immediate = setImmediate(callback)), Math.min(Math.ceil(ms), longestTimerMs));
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      clearImmediate(immediate);
    },
  };
}

/** The longest that `setTimeout` can hold. */
const longestTimerMs = 2_147_483_647;

export class Deadlines implements Disposable {
  readonly #limitsMs: Readonly<Record<DeadlineName, number>>;
  readonly #onExpired: () => void;
  #current: DeadlineName = 'first_event';
  #sinceMs = performance.now();
  #isPaused = false;
  #timer: Disposable | undefined;
  #expired: DeadlineName | undefined;

  /** `first_event` runs from here. */
  constructor(limitsMs: Readonly<Record<DeadlineName, number>>, onExpired: () => void) {
    this.#limitsMs = limitsMs;
    this.#onExpired = onExpired;
    this.#schedule(limitsMs.first_event);
  }

  get expired(): DeadlineName | undefined {
    return this.#expired;
  }

  /** Stops the clock while the caller handles events. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Starts the clock from zero, for this deadline. */
  restart(name: DeadlineName): void {
    this.#isPaused = false;
    this.#sinceMs = performance.now();
    if (name === this.#current) return;
    this.#current = name;
    this.#schedule(this.#limitsMs[name]);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #schedule(ms: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = afterReading(ms, () => this.#check());
  }

  #check(): void {
    const limitMs = this.#limitsMs[this.#current];
    const leftMs = this.#isPaused ? limitMs : this.#sinceMs + limitMs - performance.now();
    if (leftMs > 0) {
      this.#schedule(leftMs);
    } else {
      this.#expired = this.#current;
      this.#onExpired();
    }
  }
}
