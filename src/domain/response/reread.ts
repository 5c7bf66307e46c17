/**
 * An answer that is read again from its beginning, by another process than the one that began it. Its events are made anew, and
 * told only from where the journal stands on: what is in the journal must be the very beginning of them, byte for byte (T7),
 * but for the places where deltas are cut, which depend on when they came.
 */
import type { ResponseEvent, UnnumberedEvent } from './response-event.ts';

/** The provider says something else than it said before: the answer in the journal cannot be gone on with. */
export class OtherAnswerError extends Error {
  override readonly name = 'OtherAnswerError';

  /** @param seq of the journal's event; absent: the answer ended before it */
  constructor(seq?: number) {
    super(
      seq === undefined
        ? 'the answer has an end before that of the journal'
        : `the answer is another than the journal's from event ${seq} on`,
    );
  }
}

type DeltaEvent = UnnumberedEvent & { readonly delta: string; readonly logprobs?: readonly unknown[] };

export class Reread {
  /** The journal's events of the answer, in their order. */
  readonly #told: readonly ResponseEvent[];
  #at = 0;
  /** Of the delta that stands at `#at`, so much has been said again. */
  #chars = 0;
  #logprobs = 0;

  constructor(told: readonly ResponseEvent[]) {
    this.#told = told;
  }

  /** Is there more in the journal than has been read again? */
  get isBehind(): boolean {
    return this.#at < this.#told.length;
  }

  /**
   * @param apply called with each of the journal's events once all of it has been said again
   * @returns what of the event is not in the journal
   * @throws `OtherAnswerError`
   */
  match(event: UnnumberedEvent, apply: (told: ResponseEvent) => void): UnnumberedEvent | undefined {
    let rest = event;
    for (;;) {
      const told = this.#told[this.#at];
      if (told === undefined) return rest;
      const { sequence_number: seq, ...body } = told;
      if (!isDelta(body) || !isDelta(rest)) {
        if (JSON.stringify(body) !== JSON.stringify(rest)) throw new OtherAnswerError(seq);
        this.#next(told, apply);
        return undefined;
      }
      if (shapeOf(body) !== shapeOf(rest)) throw new OtherAnswerError(seq);
      const ahead = body.delta.slice(this.#chars);
      const probsAhead = body.logprobs?.slice(this.#logprobs) ?? [];
      const probs = rest.logprobs ?? [];
      const shared = Math.min(probs.length, probsAhead.length);
      const isSame = rest.delta.startsWith(ahead) || ahead.startsWith(rest.delta);
      if (!isSame || JSON.stringify(probs.slice(0, shared)) !== JSON.stringify(probsAhead.slice(0, shared)))
        throw new OtherAnswerError(seq);
      this.#chars += Math.min(rest.delta.length, ahead.length);
      this.#logprobs += shared;
      if (rest.delta.length < ahead.length) return undefined;
      this.#next(told, apply);
      if (rest.delta.length === ahead.length) return undefined;
      const left = { delta: rest.delta.slice(ahead.length), ...(rest.logprobs === undefined ? {} : { logprobs: probs.slice(shared) }) };
      rest = Object.assign({}, rest, left);
    }
  }

  #next(told: ResponseEvent, apply: (told: ResponseEvent) => void): void {
    this.#at += 1;
    this.#chars = 0;
    this.#logprobs = 0;
    apply(told);
  }
}

function isDelta(event: UnnumberedEvent): event is DeltaEvent {
  return 'delta' in event && typeof event.delta === 'string';
}

/** All but the text. */
function shapeOf(event: DeltaEvent): string {
  const { delta: _delta, logprobs: _logprobs, ...rest } = event;
  return JSON.stringify(rest);
}
