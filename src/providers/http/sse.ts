/**
 * Server-sent events out of bytes, however these are cut. The hot path: one call a chunk, one callback an event.
 */
import { createParser } from 'eventsource-parser';
import { modelFailure } from '../failures/model-failure.ts';
import { ProviderError } from '../provider.ts';

export interface SseEvent {
  /** The `event:` field, if there was one. */
  readonly event?: string | undefined;
  readonly data: string;
}

/** A line, or an event of many lines, that is longer is no event of a model. In UTF-16 units, so 8 MiB at least. */
const longestEvent = 8 * 1_024 * 1_024;

export class SseReader {
  readonly #onEvent: (event: SseEvent) => void;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({
    maxBufferSize: longestEvent,
    onEvent: (event) => {
      this.#hasEvents = true;
      this.#onEvent(event);
    },
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw notThisApi('event_too_long');
      if (error.type !== 'unknown-field') return;
      // Older llama.cpp tells its errors in a field of that name.
      if (error.field === 'error') this.#onEvent({ event: 'error', data: error.value ?? '' });
      else this.#hasStrangeLines = true;
    },
  });
  #hasEvents = false;
  #hasStrangeLines = false;
  #isSniffed = false;

  /** @param onEvent may throw; the reader is of no use after that. */
  constructor(onEvent: (event: SseEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Were there lines, but none of an event stream? */
  get isGarbage(): boolean {
    return this.#hasStrangeLines && !this.#hasEvents;
  }

  /** Throws `ProviderError` (`provider_protocol`), and whatever `onEvent` throws. */
  push(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (!this.#isSniffed) this.#sniff(text);
    this.#parser.feed(text);
  }

  /** A page or a JSON answer under the name of an event stream: told at once, rather than by a deadline. */
  #sniff(text: string): void {
    const first = /\S/.exec(text)?.[0];
    if (first === undefined) return;
    this.#isSniffed = true;
    if (first === '<' || first === '{' || first === '[') throw notThisApi('no_event_stream');
  }
}

export function notThisApi(detail: string, providerMessage?: string): ProviderError {
  return new ProviderError(modelFailure('provider_protocol', { detail, providerMessage }));
}
