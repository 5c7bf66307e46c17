/** Chance that a seed repeats. */

/** Steps of a 32-bit counter that visit all its values (mulberry32). */
const stride = 0x6d_2b_79_f5;

export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0, below 1. */
  #next(): number {
    this.#state = (this.#state + stride) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  isBelow(chance: number): boolean {
    return this.#next() < chance;
  }

  /** A whole number, the largest included. */
  upTo(largest: number): number {
    return Math.floor(this.#next() * (largest + 1));
  }

  oneOf<T>(values: readonly T[]): T {
    const value = values[this.upTo(values.length - 1)];
    if (value === undefined) throw new Error('there is none');
    return value;
  }
}
