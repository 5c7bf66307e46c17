/**
 * The clocks of one request: the first event, the silence after it, the wait for usage after the proof.
 *
 * They run only while we wait for the wire: a caller that is slow to take a piece does not make the model late.
 * One timer looks now and then, so a token costs a reading of the clock and no timer.
 */

export type Awaited = 'first_event' | 'next_event' | 'usage';

/** The longest that `setTimeout` can hold. */
const longestTimerMs = 2_147_483_647;

export class Deadlines implements Disposable {
  readonly #limitsMs: Readonly<Record<Awaited, number>>;
  readonly #onPassed: () => void;
  #awaited: Awaited = 'first_event';
  #sinceMs = performance.now();
  #isHeld = false;
  #timer: NodeJS.Timeout | undefined;
  #passed: Awaited | undefined;

  /** The first of them runs from here. */
  constructor(limitsMs: Readonly<Record<Awaited, number>>, onPassed: () => void) {
    this.#limitsMs = limitsMs;
    this.#onPassed = onPassed;
    this.#lookIn(limitsMs.first_event);
  }

  /** The one that has passed. */
  get passed(): Awaited | undefined {
    return this.#passed;
  }

  /** Stops the clock while the caller has the word. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Starts the clock anew. */
  expect(awaited: Awaited): void {
    this.#isHeld = false;
    this.#sinceMs = performance.now();
    if (awaited === this.#awaited) return;
    this.#awaited = awaited;
    clearTimeout(this.#timer);
    this.#lookIn(this.#limitsMs[awaited]);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #lookIn(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.min(Math.ceil(ms), longestTimerMs));
  }

  #look(): void {
    const limitMs = this.#limitsMs[this.#awaited];
    const leftMs = this.#isHeld ? limitMs : this.#sinceMs + limitMs - performance.now();
    if (leftMs > 0) {
      this.#lookIn(leftMs);
    } else {
      this.#passed = this.#awaited;
      this.#onPassed();
    }
  }
}
