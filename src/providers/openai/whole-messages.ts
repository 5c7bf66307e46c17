/**
 * Shows the messages of a Responses stream one after the other, each of them whole: what comes within one waits until that message
 * is at its end, or the response. Calls and passed-on items that are shown already go on meanwhile: their pieces may come in turns.
 */
import type { ModelDelta, ModelEvent } from '../../domain/model.ts';

interface Shows {
  show(delta: ModelDelta, out: ModelEvent[]): void;
  /** To be called for what waits. */
  wait(delta: ModelDelta): void;
}

/** What it takes while it waits, in UTF-16 units: an item that is passed on, or a source, has all that it says beside its text. */
export function charsOf(delta: ModelDelta): number {
  let chars = 0;
  for (const value of Object.values(delta)) chars += typeof value === 'object' ? JSON.stringify(value).length : 0;
  return chars + delta.text.length;
}

export class WholeMessages {
  readonly #shows: Shows;
  /** The message that is told: something of it is shown, and its end has not come. */
  #open: string | undefined;
  readonly #ended = new Set<string>();
  readonly #begun = new Set<string>();
  /** By item, in the order in which they came up. */
  readonly #waiting = new Map<string, ModelDelta[]>();
  /** The message whose text was shown last. */
  #last: string | undefined;

  constructor(shows: Shows) {
    this.#shows = shows;
  }

  get last(): string | undefined {
    return this.#last;
  }

  /** @param item of the provider's that this is a piece of, under a name that is unique in the stream */
  put(item: string, delta: ModelDelta, out: ModelEvent[]): void {
    const mayPass = this.#open === undefined || this.#open === item || this.#begun.has(item);
    if (mayPass) {
      this.#show(item, delta, out);
      return;
    }
    this.#shows.wait(delta);
    const before = this.#waiting.get(item) ?? [];
    // Its place is that of its first word.
    if (before.every(({ type }) => type === 'message')) this.#waiting.delete(item);
    before.push(delta);
    if (!this.#waiting.has(item)) this.#waiting.set(item, before);
  }

  /** The message is whole: what waited for that is shown, up to the next one that is not. */
  end(message: string, out: ModelEvent[]): void {
    this.#ended.add(message);
    if (this.#open !== message) return;
    this.#open = undefined;
    for (const [item, deltas] of this.#waiting) {
      this.#waiting.delete(item);
      for (const delta of deltas) this.#show(item, delta, out);
      if (this.#open !== undefined) return;
    }
  }

  /** Shows all that waits, whole or not. */
  release(out: ModelEvent[]): void {
    for (const [item, deltas] of this.#waiting) for (const delta of deltas) this.#show(item, delta, out);
    this.#waiting.clear();
    this.#open = undefined;
  }

  #show(item: string, delta: ModelDelta, out: ModelEvent[]): void {
    const { type } = delta;
    if (type === 'tool_call' || type === 'opaque') this.#begun.add(item);
    else if (type === 'text' || type === 'refusal') {
      this.#last = item;
      if (!this.#ended.has(item)) this.#open = item;
    }
    this.#shows.show(delta, out);
  }
}
