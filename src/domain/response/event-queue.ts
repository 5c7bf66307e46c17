/** The events that a stream has made and that nobody has taken yet: each numbered, and applied to the stream's state. */
import { numbered, type ResponseEvent, type UnnumberedEvent } from './response-event.ts';
import type { Reread } from './reread.ts';
import type { StreamState } from './stream-state.ts';

export class EventQueue {
  readonly #state: StreamState;
  #events: ResponseEvent[] = [];
  /** What is in the journal of the answer already. */
  reread: Reread | undefined;

  constructor(state: StreamState) {
    this.#state = state;
  }

  emit(...bodies: readonly UnnumberedEvent[]): void {
    for (const made of bodies) {
      const body = this.reread === undefined ? made : this.reread.match(made, (told) => this.#state.evolve(told));
      if (body === undefined) continue;
      const event = numbered(body, this.#state.nextSeq);
      this.#state.evolve(event);
      this.#events.push(event);
    }
  }

  take(): readonly ResponseEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
