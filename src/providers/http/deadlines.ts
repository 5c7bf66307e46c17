/**
 * The deadlines of one request, one at a time: the first event, the next event, usage after the finish.
 *
 * They run only while the network is waited for: a caller that is slow to take an event does not make the model late.
 * `restart` stores the time and keeps the running timer, which looks at the stored time when it fires: so a token
 * costs a reading of the clock and no timer.
 */

/** Also the `detail` of a `model_timeout`. */
export type DeadlineName = 'first_event' | 'next_event' | 'usage';

/** The longest that `setTimeout` can hold. */
const longestTimerMs = 2_147_483_647;

export class Deadlines implements Disposable {
  readonly #limitsMs: Readonly<Record<DeadlineName, number>>;
  readonly #onExpired: () => void;
  #current: DeadlineName = 'first_event';
  #sinceMs = performance.now();
  #isPaused = false;
  #timer: NodeJS.Timeout | undefined;
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
    clearTimeout(this.#timer);
    this.#schedule(this.#limitsMs[name]);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => this.#check(), Math.min(Math.ceil(ms), longestTimerMs));
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
