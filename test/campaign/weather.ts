/** The weather of a link: when a chunk meets it, and what it does to it, from a seed. Pure: it is told the time. */
import type { Dice } from '../../bench/soak/dice.ts';
import type { WeatherWord } from './plan.ts';

export interface Gust {
  readonly word: WeatherWord;
  /** How much of the chunk is carried before, from 0 up to, not including, 1. */
  readonly part: number;
  /** Until the rest is carried, or the connection is reset. */
  readonly forMs: number;
}

const words = [
  ['late', 6],
  ['held', 1],
  ['reset', 3],
] as const satisfies readonly (readonly [WeatherWord, number])[];
const lastsMs = { late: [20, 300], held: [1_000, 2_500], reset: [0, 20] } as const;

export class Weather {
  readonly #dice: Dice;
  readonly #perSecond: number;
  #nextAtMs: number | undefined;

  /** @param perSecond chunks that meet it, in the mean, where there are always some */
  constructor(dice: Dice, perSecond: number) {
    this.#dice = dice;
    this.#perSecond = perSecond;
  }

  /** Of a chunk that comes now. @param nowMs of any clock that does not go back */
  meet(nowMs: number): Gust | undefined {
    this.#nextAtMs ??= nowMs + this.#dice.gapMs(this.#perSecond);
    if (nowMs < this.#nextAtMs) return undefined;
    this.#nextAtMs = nowMs + this.#dice.gapMs(this.#perSecond);
    const word = this.#dice.pickWeighted(words);
    const [least, most] = lastsMs[word];
    return { word, part: this.#dice.next(), forMs: Math.floor(this.#dice.between(least, most)) };
  }
}
