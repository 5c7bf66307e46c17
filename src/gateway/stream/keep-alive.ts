/** What an open response needs besides its content: knowing that the client has gone, and signs of life while nothing comes. */
import type { ServerResponse } from 'node:http';

/** Proxies and Node's own fetch give up on a silent body after minutes. */
export const defaultIdleMs = 15_000;

const tickMs = 500;

/** Made once: an `abort()` without a reason makes an exception of its own, and each request ends in one. */
const clientHasGone = new Error('the client has gone');

/** Aborts when the client goes before it has the response to its end. One for each response. */
export function disconnectSignal(outgoing: ServerResponse): AbortSignal {
  // `close` does not come twice.
  if (outgoing.destroyed) return AbortSignal.abort(clientHasGone);
  const gone = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort(clientHasGone);
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

/** All that are open: one timer serves them. */
const open = new Set<KeepAlive>();
let ticks: NodeJS.Timeout | undefined;

/** Comments on an event stream, for a viewer that has read all there was: `keep-alive`, and news of retries. */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #idleCommentMs: number;
  #hasWritten = false;
  #idleMs = 0;
  #lastNotice: string | undefined;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
    this.#idleCommentMs = options.idleCommentMs ?? defaultIdleMs;
    open.add(this);
    ticks ??= setInterval(() => {
      for (const each of open) each.#tick();
    }, tickMs);
  }

  /** An event was written: the silence begins anew. */
  wrote(): void {
    this.#hasWritten = true;
  }

  stop(): void {
    open.delete(this);
    if (open.size > 0) return;
    clearInterval(ticks);
    ticks = undefined;
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
