/** Plays the schedule of one seed, and checks it. */
import { MemoryDatabase } from '../../store/memory/database.ts';
import { openMemoryStore } from '../../store/memory/open-store.ts';
import { temporaryDatabase } from '../../store/temporary.ts';
import type { Store } from '../../../src/store/ports/store.ts';
import { newId } from '../../../src/client/ids.ts';
import { Dice } from '../dice.ts';
import { FakeClock } from '../fake-clock.ts';
import { checkPlayed } from './check-played.ts';
import { Schedule } from './schedule.ts';

/** One seed of so many is played on SQLite. Its commits cost three times what the rest of a turn costs. */
const seedsPerFile = 10;

export interface Outcome {
  readonly sights: ReadonlyMap<string, number>;
  /** All that happened, in its order and in words: of one seed always the same. */
  readonly happened: readonly string[];
}

/** @param turns conversations, each of one turn at least; @throws `AssertionError` that names the law and the turn */
export async function playSeed(seed: number, turns: number): Promise<Outcome> {
  if (seed % seedsPerFile !== 0) return playOn(openMemoryStore(new MemoryDatabase()), seed, turns);
  await using database = temporaryDatabase();
  return await playOn(database.open(), seed, turns);
}

async function playOn(store: Store, seed: number, turns: number): Promise<Outcome> {
  const dice = new Dice(seed);
  using clock = new FakeClock();
  using _ = seededRandom(seed);
  const played = await new Schedule(dice, clock, store).play(turns);
  const names = new Map(Array.from(played.turns, ([name, { id }]) => [id, name]));
  const happened = played.happened.map((each) => {
    if (each.type === 'sent') return `${each.type} ${each.turn} ${each.step}`;
    if (each.type === 'started' || each.type === 'overtaken')
      return `${each.type} ${names.get(each.id)} ${each.type === 'started' ? each.step : each.epoch}`;
    return `${each.type} ${each.call}`;
  });
  return { sights: await checkPlayed(store, played), happened };
}

/**
 * Chance that is not the schedule's own, from a seed too: watchers shuffle what they have found, and SQLite orders by its id what has
 * nothing else to be ordered by.
 */
function seededRandom(seed: number): Disposable {
  const dice = new Dice(~seed);
  const [random, getRandomValues] = [Math.random.bind(Math), crypto.getRandomValues.bind(crypto)];
  const state = { isAsked: false };
  Math.random = () => dice.upTo(2 ** 30) / 2 ** 31;
  crypto.getRandomValues = (values) => {
    state.isAsked = true;
    if (ArrayBuffer.isView(values)) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      for (const index of bytes.keys()) bytes[index] = dice.upTo(255);
    }
    return values;
  };
  // Ids are made of random bytes for many of them at once: what is left of those from before.
  while (!state.isAsked) newId('item');
  return {
    [Symbol.dispose]() {
      Math.random = random;
      crypto.getRandomValues = getRandomValues;
    },
  };
}
