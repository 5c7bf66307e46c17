/** How much of a long list is read, written or deleted at once: less than 20 ms of the process, and of the database's lock (T14). */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';

const sliceRows = 300;
const sliceChars = 262_144;

/** Room for rows in one slice. The row that reaches a bound is the last: a single one may be larger. */
export class Slice {
  #rows = 0;
  #chars = 0;

  /** Rows so far. */
  get taken(): number {
    return this.#rows;
  }

  get isFull(): boolean {
    return this.rowsLeft === 0 || this.#chars >= sliceChars;
  }

  get rowsLeft(): number {
    return Math.max(0, sliceRows - this.#rows);
  }

  /** @param chars of the row, or bytes */
  add(chars: number): void {
    this.#rows += 1;
    this.#chars += chars;
  }
}

/** Reads slice after slice, with the event loop free in between. */
export class Pace {
  slice = new Slice();
  readonly #maxChars: number;
  #chars = 0;

  /** @param maxChars of all that is read; the row that reaches it is the last */
  constructor(maxChars = Number.POSITIVE_INFINITY) {
    this.#maxChars = maxChars;
  }

  /** Whether nothing more is to be read. */
  get isSpent(): boolean {
    return this.#chars >= this.#maxChars;
  }

  /** @param chars of the row */
  add(chars: number): void {
    this.slice.add(chars);
    this.#chars += chars;
  }

  async yieldIfFull(): Promise<void> {
    if (!this.slice.isFull) return;
    await nextTurnOfTheLoop();
    this.slice = new Slice();
  }
}
