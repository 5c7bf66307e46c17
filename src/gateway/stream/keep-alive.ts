/** What an open response needs besides its content: knowing that the client has gone, and signs of life while nothing comes. */
import type { ServerResponse } from 'node:http';

/** Proxies and Node's own fetch give up on a silent body after minutes. */
export const defaultIdleMs = 15_000;

const tickMs = 500;

/** Aborts when the client has gone. undefined where it had gone before: `close` does not come twice. */
export function disconnectSignal(outgoing: ServerResponse): AbortSignal | undefined {
  if (outgoing.destroyed) return undefined;
  const gone = new AbortController();
  outgoing.on('close', () => {
    gone.abort();
  });
  return gone.signal;
}

export interface KeepAliveOptions {
  readonly outgoing: ServerResponse;
  /** How long a stream is silent before a comment is sent; 15 s by default. */
  readonly idleCommentMs?: number | undefined;
  /** News for a waiting viewer, sent as a comment once whenever they change. */
  readonly notice?: (() => Promise<string | undefined>) | undefined;
}

/** Comments on an event stream, for a viewer that has read all there was: `keep-alive`, and news of retries. */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #idleCommentMs: number;
  readonly #ticks: NodeJS.Timeout;
  #hasWritten = false;
  #idleMs = 0;
  #lastNotice: string | undefined;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
    this.#idleCommentMs = options.idleCommentMs ?? defaultIdleMs;
    this.#ticks = setInterval(() => {
      this.#tick();
    }, tickMs);
  }

  /** An event was written: the silence begins anew. */
  wrote(): void {
    this.#hasWritten = true;
  }

  stop(): void {
    clearInterval(this.#ticks);
  }

  #tick(): void {
    const { outgoing, notice } = this.#options;
    this.#idleMs = this.#hasWritten ? 0 : this.#idleMs + tickMs;
    if (this.#hasWritten || outgoing.writableLength > 0) {
      this.#hasWritten = false;
      return;
    }
    if (this.#idleMs % this.#idleCommentMs === 0) outgoing.write(': keep-alive\n\n');
    notice?.().then(
      (text) => {
        if (text === undefined || text === this.#lastNotice || outgoing.writableEnded) return;
        this.#lastNotice = text;
        outgoing.write(`: ${text}\n\n`);
      },
      // The stream does without a notice: what went wrong here ends the events too, if it matters to them.
      () => undefined,
    );
  }
}
