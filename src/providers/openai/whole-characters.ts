/**
 * Keeps characters whole: a provider may send the two halves of a surrogate pair in two deltas. A high half waits for the next
 * delta of its own item, whatever comes in between; one whose other half never comes is U+FFFD.
 */
import type { Json } from '../../domain/item.ts';
import type { ModelDelta } from '../../domain/model.ts';

export class WholeCharacters {
  /** By item: the delta whose last half waits, with that half as its text. */
  readonly #waiting = new Map<string, ModelDelta>();

  /** Whether the delta can go on as it is. On the hot path. */
  isWhole({ text }: ModelDelta): boolean {
    return this.#waiting.size === 0 && text.isWellFormed();
  }

  /** The delta with the half before it, without the half at its end. */
  join(delta: ModelDelta): ModelDelta {
    const key = `${delta.type} ${delta.item ?? ''}`;
    // An empty delta says nothing about the half before it.
    if (delta.text === '') return delta;
    const text = (this.#waiting.get(key)?.text ?? '') + delta.text;
    this.#waiting.delete(key);
    const isCut = /[\uD800-\uDBFF]$/.test(text);
    if (isCut) this.#waiting.set(key, { ...delta, text: text.slice(-1) });
    return { ...delta, text: (isCut ? text.slice(0, -1) : text).toWellFormed() };
  }

  /** The halves that were left alone, each as the character that stands for it. */
  end(): readonly ModelDelta[] {
    const left = Array.from(this.#waiting.values(), (delta) => ({ ...delta, text: '\uFFFD' }));
    this.#waiting.clear();
    return left;
  }
}

/** The delta with whole characters in all that it says beside its text: what is given out is taken back, too (T13). On the hot path. */
export function wholeIn<Delta extends ModelDelta>(delta: Delta): Delta {
  for (const name in delta) {
    const value: unknown = delta[name];
    const isWhole = typeof value === 'string' ? value.isWellFormed() : typeof value !== 'object';
    if (!isWhole) return wellFormed(delta) as unknown as Delta;
  }
  return delta;
}

function wellFormed(value: Json): Json {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map((each: Json) => wellFormed(each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]): [string, Json] => [key.toWellFormed(), wellFormed(each)]));
}
