/** Chance from a seed: the same seed throws the same numbers. */
export class Dice {
  #state: number;

  /** @param names one stream of numbers for each: it does not depend on how often others are thrown */
  constructor(seed: number, ...names: readonly (string | number)[]) {
    this.#state = seed;
    for (const char of names.join('/')) this.#state = Math.imul(this.#state ^ char.charCodeAt(0), 0x01000193);
    // Neighbouring seeds begin far apart.
    for (let round = 0; round < 3; round += 1) this.next();
  }

  /** From 0 up to, not including, 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** The gap to the next of events that come at random, this many a second, in ms. */
  gapMs(perSecond: number): number {
    return (-Math.log(1 - this.next()) / perSecond) * 1_000;
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.next() * choices.length)];
    if (choice === undefined) throw new Error('nothing to pick from');
    return choice;
  }

  /** @param weighted choices with their weights */
  pickWeighted<T>(weighted: readonly (readonly [T, number])[]): T {
    let left = this.next() * weighted.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [choice, weight] of weighted) {
      left -= weight;
      if (left < 0) return choice;
    }
    throw new Error('nothing to pick from');
  }
}
