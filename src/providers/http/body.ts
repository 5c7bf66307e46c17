/**
 * The body of one answer, taken straight from undici's parser.
 *
 * Not from `fetch`'s stream: that one throws away what it holds when the connection breaks, and with it a proof of
 * the end that had come in time (T8). Here what has arrived is read before the break is told. It also costs less.
 */
import type { Dispatcher } from 'undici';

/** Above this the socket is no longer read, so that a slow caller is not paid for in memory. */
const pauseAboveBytes = 256 * 1_024;

export class WireBody {
  #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #isPaused = false;
  #end: { readonly error?: unknown } | undefined;
  #discards = false;
  #wake: (() => void) | undefined;

  /** The next bytes, if they are here. */
  take(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#queuedBytes -= chunk.length;
    this.#resumeIfDrained();
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

  /** Closes the socket at once, unless the body has ended. Whoever waits for more sees the end. */
  close(): void {
    this.#chunks = [];
    if (this.#end !== undefined) return;
    this.#finish({});
    this.#controller?.abort(new Error('closed'));
  }

  /** Throws away what is still to come, usually nothing, so that the connection can be used again; closes it if that takes long. */
  discard(timeoutMs: number): void {
    this.#chunks = [];
    this.#queuedBytes = 0;
    if (this.#end !== undefined) return;
    this.#discards = true;
    this.#resumeIfDrained();
    const timer = setTimeout(() => this.close(), timeoutMs).unref();
    this.#wake = () => clearTimeout(timer);
  }

  /** What undici is to call. */
  attach(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#end !== undefined) controller.abort(new Error('closed'));
  }

  push(chunk: Uint8Array): void {
    if (this.#discards || this.#end !== undefined) return;
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
