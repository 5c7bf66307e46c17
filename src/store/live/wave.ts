/**
 * How those who follow one turn are woken. Each write to a viewer's socket costs the same, whatever is in it, so a crowd at a turn
 * of 50 rows a second would cost a process more than it has. A crowd is therefore woken a few at a time, between which the event
 * loop does what else there is (T14), and then has a rest as long as the waking took: it takes half of a process at most, and what
 * was written meanwhile goes out together.
 */

/** **Contract.** `wake` is called whenever the channel has changed, also in the midst of somebody's write. It must not throw. */
export interface Follower {
  /** false: it waits for the end alone, and no row wakes it. */
  readonly wantsRows: boolean;
  wake(): void;
}

/** With fewer than this all are woken in the tick of the row: 1.5 ms of work. */
export const usualCrowd = 200;

const wokenAtOnce = 200;

const longestRestMs = 200;

export class Wave {
  readonly #followers: ReadonlySet<Follower>;
  readonly #crowd: number;
  readonly #onRested: () => void;
  #state: 'still' | 'waking' | 'resting' = 'still';
  /** Something has changed since those who were woken first were woken. */
  #isDue = false;
  #rest: NodeJS.Timeout | undefined;

  /**
   * @param crowd how many are one
   * @param onRested called at the end of each rest
   */
  constructor(followers: ReadonlySet<Follower>, crowd: number, onRested: () => void) {
    this.#followers = followers;
    this.#crowd = crowd;
    this.#onRested = onRested;
  }

  /** Rows that come now are to be gathered: `onRested` will be called. */
  get isBusy(): boolean {
    return this.#state !== 'still';
  }

  /** Wakes all, once, whoever joins meanwhile too. */
  start(): void {
    if (this.#state === 'waking') {
      this.#isDue = true;
    } else if (this.#followers.size < this.#crowd) {
      for (const follower of this.#followers) follower.wake();
    } else {
      clearTimeout(this.#rest);
      this.#state = 'waking';
      this.#isDue = false;
      this.#wakeSome(this.#followers.values(), performance.now());
    }
  }

  #wakeSome(left: SetIterator<Follower>, startedAtMs: number): void {
    for (let woken = 0; woken < wokenAtOnce; woken += 1) {
      const next = left.next();
      if (next.done === true) {
        this.#takeRest(performance.now() - startedAtMs);
        return;
      }
      next.value.wake();
    }
    setImmediate(() => this.#wakeSome(left, startedAtMs));
  }

  #takeRest(ms: number): void {
    this.#state = 'resting';
    if (this.#isDue) {
      this.start();
      return;
    }
    this.#rest = setTimeout(
      () => {
        this.#state = 'still';
        this.#onRested();
      },
      Math.min(ms, longestRestMs),
    ).unref();
  }
}
