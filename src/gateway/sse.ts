/**
 * A turn's journal as server-sent events, straight onto the Node response: the rows' bytes as they are, so that
 * every viewer gets the same (T7). A slow viewer lags on its own cursor; nothing waits for it (T12).
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { JournalRow } from '../client/turnkeep.ts';
import { type Frames, framesOf } from './frames.ts';

/** Proxies and Node's own fetch give up on a silent body after minutes. */
const defaultIdleCommentMs = 15_000;
const tickMs = 500;

export interface SseOptions {
  readonly outgoing: ServerResponse;
  /** Ends when the turn has ended. Must stop when `signal` aborts. */
  readonly rows: (signal: AbortSignal) => AsyncIterable<readonly JournalRow[]>;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long a stream is silent before a comment is sent. */
  readonly idleCommentMs?: number | undefined;
  /** What a waiting viewer may be told in a comment: said once, when it is new. */
  readonly notice?: () => Promise<string | undefined>;
  /** The end was written out. */
  readonly onEnd?: () => Promise<void>;
}

/** Resolves when the stream has been written to its end or the viewer has gone. */
export async function writeSse({
  outgoing,
  rows,
  headers,
  notice,
  onEnd,
  idleCommentMs = defaultIdleCommentMs,
}: SseOptions): Promise<void> {
  // Gone before we began: its `close` will not come again.
  if (outgoing.destroyed) return;
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
  const silence = new Silence(outgoing, notice, idleCommentMs);
  try {
    for await (const batch of rows(gone.signal)) {
      silence.isBroken = true;
      const drained = writeFrames(outgoing, framesOf(batch), gone.signal);
      if (drained !== undefined) await drained;
    }
    if (!gone.signal.aborted) {
      outgoing.end('data: [DONE]\n\n');
      await onEnd?.();
    }
  } catch (error) {
    // Cut, not ended: a viewer must be able to tell that this was not the end, and resume.
    outgoing.destroy();
    throw error;
  } finally {
    silence.end();
  }
}

/**
 * Most of what an event costs is its way to the kernel, a viewer at a time. So the chunk goes to the socket as it is,
 * the same buffer for all: `ServerResponse.write` would make three writes of it. Returns what to wait for before more.
 */
function writeFrames(outgoing: ServerResponse, { bytes, chunk }: Frames, signal: AbortSignal): Promise<void> | undefined {
  const { socket } = outgoing;
  // HTTP/1.0 has no chunks; a pipelined answer has no socket before its turn.
  const target = socket !== null && outgoing.chunkedEncoding ? socket : outgoing;
  const isTaken = target.write(target === socket ? chunk : bytes);
  return isTaken || signal.aborted ? undefined : once(target, 'drain', { signal }).then(nothing, nothing);
}

function nothing(): void {}

/** What is said while nothing happens, to a viewer that has read all there was: signs of life, and news of retries. */
class Silence {
  /** Set whenever an event is written. */
  isBroken = false;
  readonly #outgoing: ServerResponse;
  readonly #notice: SseOptions['notice'];
  readonly #idleCommentMs: number;
  readonly #ticks: NodeJS.Timeout;
  #lastedMs = 0;
  #told: string | undefined;

  constructor(outgoing: ServerResponse, notice: SseOptions['notice'], idleCommentMs: number) {
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
