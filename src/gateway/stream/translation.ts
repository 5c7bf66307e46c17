/**
 * Other doors show the same turn in other words. A translator is pure: it takes a turn's events one at a time and says
 * which frames they become, so every viewer of a door reads the same, live or replayed (T7).
 */
import type { ResponseEvent } from '../../domain/response-event.ts';

/** The frame that says a stream is whole. */
export const done = '[DONE]';

/** What one `data:` line holds. */
export type SsePayload = object | typeof done;

export interface Translator<State> {
  readonly initial: State;
  /** Event types that it does not know become nothing. */
  readonly step: (state: State, event: ResponseEvent) => readonly [State, readonly SsePayload[]];
}

/** A translator with its state: one event in, its frames out. */
export function translating<State>({ initial, step }: Translator<State>): (event: ResponseEvent) => readonly SsePayload[] {
  let state = initial;
  return (event) => {
    const [next, frames] = step(state, event);
    state = next;
    return frames;
  };
}
