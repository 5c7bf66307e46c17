/**
 * The clock of the database, by which leases run, without asking it each time: it is asked now and then, and counted on by the
 * monotonic clock of this process in between, which nobody sets.
 */

/** How long it is counted on, ms. The clocks of two machines part by less than 1 ms meanwhile. */
const keptForMs = 10_000;

/** An answer that took longer tells too little: what time it was is known to half of that, ms. */
const longestAnswerMs = 250;

export const clockText = 'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now';

export interface Clock {
  /** Milliseconds since the epoch; undefined: it is to be asked. */
  now(): number | undefined;
  /**
   * @param askedAt of `performance.now()`, as the question was sent
   * @returns what time it is; what came too slowly is not kept, and to be asked again
   */
  note(databaseMs: number, askedAt: number): number;
}

export class DatabaseClock implements Clock {
  #offsetMs: number | undefined;
  #askedAt = 0;

  /** Of a process that stood still the last answer is worth nothing. */
  now(): number | undefined {
    const at = performance.now();
    return this.#offsetMs === undefined || at - this.#askedAt > keptForMs ? undefined : Math.round(this.#offsetMs + at);
  }

  note(databaseMs: number, askedAt: number): number {
    const at = performance.now();
    // It was read somewhere on the way.
    const offsetMs = databaseMs - (askedAt + at) / 2;
    if (at - askedAt <= longestAnswerMs) {
      this.#offsetMs = offsetMs;
      this.#askedAt = at;
    }
    return Math.round(offsetMs + at);
  }
}
