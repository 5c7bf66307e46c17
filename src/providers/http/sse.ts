/**
 * Reads server-sent events out of bytes, wherever the chunks are cut. On the hot path: one call a chunk, one callback
 * an event.
 */
import { createParser } from 'eventsource-parser';
import { protocolError } from '../failures/model-failure.ts';

export interface SseEvent {
  /** The `event:` field, if there was one. */
  readonly event?: string | undefined;
  readonly data: string;
}

/** A longer line, or event of many lines, is a `provider_protocol` failure. In UTF-16 units, so 8 MiB at least. */
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
      if (error.type === 'max-buffer-size-exceeded') throw protocolError('event_too_long');
      if (error.type !== 'unknown-field') return;
      // Older llama.cpp sends its errors as a field of this name instead of an event.
      if (error.field === 'error') this.#onEvent({ event: 'error', data: error.value ?? '' });
      else this.#hasUnknownFields = true;
    },
  });
  #hasEvents = false;
  #hasUnknownFields = false;
  #isSniffed = false;

  /** @param onEvent may throw; the reader must not be used after that. */
  constructor(onEvent: (event: SseEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Whether lines came, but not one event. */
  get isNoEventStream(): boolean {
    return this.#hasUnknownFields && !this.#hasEvents;
  }

  /** Throws `ProviderError` (`provider_protocol`), and whatever `onEvent` throws. */
  push(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (!this.#isSniffed) this.#sniff(text);
    this.#parser.feed(text);
  }

  /** Recognises an HTML page or a JSON body sent as `text/event-stream` by its first character, instead of waiting for a deadline. */
  #sniff(text: string): void {
    const first = /\S/.exec(text)?.[0];
    if (first === undefined) return;
    this.#isSniffed = true;
    if (first === '<' || first === '{' || first === '[') throw protocolError('no_event_stream');
  }
}
