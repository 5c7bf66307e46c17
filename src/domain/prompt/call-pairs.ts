/**
 * Which output is that of which call. By place, since the id is not enough: some providers number the calls of each message
 * from 0 (`get_weather:0`), so a conversation has many calls of one id, and an answer may have two.
 */
import { type CallOutputItem, isCall, isCallOutput, type Item } from '../item.ts';

export interface Placed {
  readonly item: Item;
  /** The number of what it came in: a turn's input, or its answer. */
  readonly stretch: number;
}

interface Pairing {
  /** The output of each call, by the place of the call. */
  readonly outputs: ReadonlyMap<number, CallOutputItem>;
  /** The places of the outputs without a call, but for those that repeat one that was given before. */
  readonly words: ReadonlySet<number>;
}

interface PlacedOutput {
  readonly at: number;
  readonly stretch: number;
  readonly output: CallOutputItem;
}

/** An output belongs to the newest call of its id that has none; of several that stand together, the first to the first. */
export function pairOutputs(items: readonly Placed[]): Pairing {
  const outputs = new Map<number, CallOutputItem>();
  const calls = new Map<string, CallsOfId>();
  const callsOf = (id: string): CallsOfId => {
    const known = calls.get(id) ?? new CallsOfId(outputs);
    calls.set(id, known);
    return known;
  };
  let together = new Map<string, PlacedOutput[]>();
  const give = (): void => {
    for (const [id, given] of together) callsOf(id).give(given);
    together = new Map();
  };
  for (const [at, { item, stretch }] of items.entries()) {
    if (isCallOutput(item)) {
      if (items[at - 1]?.stretch !== stretch) give();
      const given = together.get(item.call_id);
      if (given === undefined) together.set(item.call_id, [{ at, stretch, output: item }]);
      else given.push({ at, stretch, output: item });
      continue;
    }
    if (together.size > 0) give();
    if (isCall(item)) callsOf(item.call_id).add({ at, stretch });
  }
  give();
  return { outputs, words: new Set([...calls.values()].flatMap((ofId) => ofId.finish())) };
}

interface PlacedCall {
  readonly at: number;
  readonly stretch: number;
}

/** The calls of one id, and their outputs. */
class CallsOfId {
  readonly #outputs: Map<number, CallOutputItem>;
  /** Those without an output, oldest first, by the stretch that they came in. */
  readonly #open: { readonly calls: PlacedCall[]; next: number }[] = [];
  #openCount = 0;
  readonly #given = new Set<string>();
  readonly #unpaired: PlacedOutput[] = [];

  constructor(outputs: Map<number, CallOutputItem>) {
    this.#outputs = outputs;
  }

  add(call: PlacedCall): void {
    const newest = this.#open.at(-1);
    if (newest?.calls[0]?.stretch === call.stretch) newest.calls.push(call);
    else this.#open.push({ calls: [call], next: 0 });
    this.#openCount += 1;
  }

  /** @param together outputs that stand together */
  give(together: readonly PlacedOutput[]): void {
    let surplus = together.length - this.#openCount;
    // A client that sends all outputs again sends the new one last.
    const fresh = together.filter(({ output }) => {
      const isRepeat = surplus > 0 && this.#given.has(keyOf(output));
      if (isRepeat) surplus -= 1;
      return !isRepeat;
    });
    const calls = this.#take(fresh.length);
    for (const [n, placed] of fresh.entries()) {
      const call = calls[n];
      if (call === undefined) this.#unpaired.push(placed);
      else this.#pair(call, placed);
    }
  }

  /** The newest ones, as many as that if there are as many, in their order. */
  #take(count: number): readonly PlacedCall[] {
    const taken: PlacedCall[][] = [];
    for (let missing = count; missing > 0;) {
      const newest = this.#open.at(-1);
      if (newest === undefined) break;
      const calls = newest.calls.slice(newest.next, newest.next + missing);
      newest.next += calls.length;
      if (newest.next === newest.calls.length) this.#open.pop();
      missing -= calls.length;
      taken.push(calls);
    }
    return taken.toReversed().flat();
  }

  #pair(call: PlacedCall, { output }: PlacedOutput): void {
    this.#outputs.set(call.at, output);
    this.#given.add(keyOf(output));
    this.#openCount -= 1;
  }

  /** Pairs outputs that stand before their calls. Returns the places of those that have none, and were not given before. */
  finish(): readonly number[] {
    const open = this.#open.flatMap(({ calls, next }) => calls.slice(next));
    const words: number[] = [];
    let next = 0;
    for (const placed of this.#unpaired) {
      while ((open[next]?.at ?? Infinity) < placed.at) next += 1;
      const call = open[next];
      if (call?.stretch === placed.stretch) {
        this.#pair(call, placed);
        next += 1;
      } else if (!this.#given.has(keyOf(placed.output))) {
        this.#given.add(keyOf(placed.output));
        words.push(placed.at);
      }
    }
    return words;
  }
}

function keyOf({ output }: CallOutputItem): string {
  return typeof output === 'string' ? output : JSON.stringify(output);
}
