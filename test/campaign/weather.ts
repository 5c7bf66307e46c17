/** The weather of a link: which of its chunks meet it, and what it does to them, from a seed. Pure: it is told the time. */
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
  ['late', 15],
  ['held', 2],
  ['reset', 3],
] as const satisfies readonly (readonly [WeatherWord, number])[];
/** Of all chunks: on a quiet link each would meet it, and nobody who needs a few of them in a row would get anywhere. */
const mostOf = 0.1;
const lastsMs = { late: [20, 300], held: [1_000, 2_500], reset: [0, 20] } as const;

export class Weather {
  readonly #dice: Dice;
  readonly #perSecond: number;
  #nextAtMs = 0;

  /** @param perSecond chunks that meet it, in the mean, on a link that is busy */
  constructor(dice: Dice, perSecond: number) {
    this.#dice = dice;
    this.#perSecond = perSecond;
  }

  /** What a chunk meets that comes now. @param nowMs of any clock that does not go back */
  meet(nowMs: number): Gust | undefined {
    if (nowMs < this.#nextAtMs || this.#dice.next() >= mostOf) return undefined;
    this.#nextAtMs = nowMs + this.#dice.gapMs(this.#perSecond);
    const word = this.#dice.pickWeighted(words);
    const [least, most] = lastsMs[word];
    return { word, part: this.#dice.next(), forMs: Math.floor(this.#dice.between(least, most)) };
  }
}
