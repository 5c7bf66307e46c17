/** An answer of server-sent events while it lasts: its headers, who still listens, and signs of life while nothing comes. */
import type { ServerResponse } from 'node:http';

/** Proxies and Node's own fetch give up on a silent body after minutes. */
const defaultIdleCommentMs = 15_000;
const tickMs = 500;

export interface EventStreamOptions {
  readonly outgoing: ServerResponse;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long a stream is silent before a comment is sent. */
  readonly idleCommentMs?: number | undefined;
  /** What a waiting viewer may be told in a comment: said once, when it is new. */
  readonly notice?: () => Promise<string | undefined>;
}

export interface EventStream {
  /** Aborts when the viewer has gone. */
  readonly signal: AbortSignal;
  readonly silence: KeepAlive;
}

/** Sends the headers. undefined when the viewer had gone before: its `close` will not come again. */
export function openEventStream({ outgoing, headers, idleCommentMs, notice }: EventStreamOptions): EventStream | undefined {
  if (outgoing.destroyed) return undefined;
  const gone = new AbortController();
  outgoing.on('close', () => {
    gone.abort();
  });
  outgoing.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    // nginx would hold events back otherwise.
    'x-accel-buffering': 'no',
    ...headers,
  });
  outgoing.flushHeaders();
  outgoing.socket?.setNoDelay(true);
  return { signal: gone.signal, silence: new KeepAlive(outgoing, notice, idleCommentMs ?? defaultIdleCommentMs) };
}

/** What is said while nothing happens, to a viewer that has read all there was: signs of life, and news of retries. */
class KeepAlive {
  /** Set whenever an event is written. */
  isBroken = false;
  readonly #outgoing: ServerResponse;
  readonly #notice: EventStreamOptions['notice'];
  readonly #idleCommentMs: number;
  readonly #ticks: NodeJS.Timeout;
  #lastedMs = 0;
  #told: string | undefined;

  constructor(outgoing: ServerResponse, notice: EventStreamOptions['notice'], idleCommentMs: number) {
    this.#idleCommentMs = idleCommentMs;
    this.#outgoing = outgoing;
    this.#notice = notice;
    this.#ticks = setInterval(() => {
      this.#tick();
    }, tickMs);
  }

  end(): void {
    clearInterval(this.#ticks);
  }

  #tick(): void {
    this.#lastedMs = this.isBroken ? 0 : this.#lastedMs + tickMs;
    if (this.isBroken || this.#outgoing.writableLength > 0) {
      this.isBroken = false;
      return;
    }
    if (this.#lastedMs % this.#idleCommentMs === 0) this.#outgoing.write(': keep-alive\n\n');
    this.#notice?.().then(
      (text) => {
        if (text === undefined || text === this.#told || this.#outgoing.writableEnded) return;
        this.#told = text;
        this.#outgoing.write(`: ${text}\n\n`);
      },
      // A notice is a courtesy; the events themselves will tell of any trouble.
      () => undefined,
    );
  }
}
