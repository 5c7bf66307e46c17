/**
 * The body of one HTTP response, taken straight from undici's parser.
 *
 * `fetch`'s own stream throws its buffered bytes away when the connection breaks, and with them a finish that had
 * arrived in time (T8). This queue hands out every byte that arrived before it reports the break. It is also faster.
 */
import type { Dispatcher } from 'undici';

/** With more bytes than this in the queue the socket is not read, so that a slow caller does not fill the memory. */
const pauseAboveBytes = 256 * 1_024;

/** Where the bytes come from. */
export type BodySource = Pick<Dispatcher.DispatchController, 'abort' | 'pause' | 'resume'>;

export class ResponseBody {
  #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #controller: BodySource | undefined;
  #isPaused = false;
  #end: { readonly error?: unknown } | undefined;
  #isDiscarding = false;
  #wake: (() => void) | undefined;
  /** Hears of each chunk that is taken. */
  onTake: ((chunk: Uint8Array) => void) | undefined;

  /** The next bytes of the queue; undefined if it is empty. */
  take(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#queuedBytes -= chunk.length;
    this.#resumeIfDrained();
    this.onTake?.(chunk);
    return chunk;
  }

  /** Resolves to true once there are bytes to take, to false at the end. Rejects with what broke the connection. */
  async hasMore(): Promise<boolean> {
    if (this.#chunks.length === 0 && this.#end === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    if (this.#chunks.length > 0) return true;
    if (this.#end?.error !== undefined) throw this.#end.error;
    return false;
  }

  /** Closes the socket at once, unless the body has ended. A pending `hasMore` resolves to false. */
  close(): void {
    this.#chunks = [];
    if (this.#end !== undefined) return;
    this.#finish({});
    this.#controller?.abort(new Error('closed'));
  }

  /** Reads the rest, usually nothing, without keeping it, so that the connection can be reused; after `timeoutMs` closes the socket instead. */
  discard(timeoutMs: number): void {
    this.#chunks = [];
    this.#queuedBytes = 0;
    if (this.#end !== undefined) return;
    this.#isDiscarding = true;
    this.#resumeIfDrained();
    const timer = setTimeout(() => this.close(), timeoutMs).unref();
    this.#wake = () => clearTimeout(timer);
  }

  // The rest is called by `http/connection.ts`, for undici, and by `openai/kept-response.ts`.

  attach(controller: BodySource): void {
    this.#controller = controller;
    if (this.#end !== undefined) controller.abort(new Error('closed'));
  }

  push(chunk: Uint8Array): void {
    if (this.#isDiscarding || this.#end !== undefined) return;
    this.#chunks.push(chunk);
    this.#queuedBytes += chunk.length;
    if (this.#queuedBytes > pauseAboveBytes && !this.#isPaused) {
      this.#isPaused = true;
      this.#controller?.pause();
    }
    this.#wake?.();
  }

  finish(error?: unknown): void {
    if (this.#end === undefined) this.#finish(error === undefined ? {} : { error });
  }

  #finish(end: { readonly error?: unknown }): void {
    this.#end = end;
    this.#wake?.();
  }

  #resumeIfDrained(): void {
    if (!this.#isPaused || this.#queuedBytes > pauseAboveBytes / 2) return;
    this.#isPaused = false;
    this.#controller?.resume();
  }
}
