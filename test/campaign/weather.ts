/** The weather of a link: which of its chunks meet it, and what it does to them, from a seed. Pure. */
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
  ['late', 7],
  ['held', 1],
  ['reset', 2],
] as const satisfies readonly (readonly [WeatherWord, number])[];
const lastsMs = { late: [20, 300], held: [1_000, 2_500], reset: [0, 20] } as const;

export class Weather {
  readonly #dice: Dice;
  readonly #chance: number;

  /** @param chance of each chunk. By the time it would be the end of a quiet link, every chunk of which would meet it. */
  constructor(dice: Dice, chance: number) {
    this.#dice = dice;
    this.#chance = chance;
  }

  /** What the next chunk meets. */
  meet(): Gust | undefined {
    if (this.#dice.next() >= this.#chance) return undefined;
    const word = this.#dice.pickWeighted(words);
    const [least, most] = lastsMs[word];
    return { word, part: this.#dice.next(), forMs: Math.floor(this.#dice.between(least, most)) };
  }
}
