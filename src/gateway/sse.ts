/**
 * A turn's journal as server-sent events, straight onto the Node response: the rows' bytes as they are, so that
 * every viewer gets the same (T7). A slow viewer lags on its own cursor; nothing waits for it (T12).
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { JournalRow } from '../client/turnkeep.ts';

/** Proxies and Node's own fetch give up on a silent body after minutes. */
const defaultIdleCommentMs = 15_000;

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

const noticeEveryMs = 500;

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
    connection: 'keep-alive',
    // nginx would hold events back otherwise.
    'x-accel-buffering': 'no',
    ...headers,
  });
  outgoing.flushHeaders();
  outgoing.socket?.setNoDelay(true);
  const comment = setInterval(() => {
    // A viewer that does not read needs no sign of life.
    if (outgoing.writableLength === 0) outgoing.write(': keep-alive\n\n');
  }, idleCommentMs);
  const notices = notice === undefined ? undefined : startNotices(outgoing, notice);
  try {
    for await (const batch of rows(gone.signal)) {
      const isWritten = outgoing.write(batch.map(frame).join(''));
      comment.refresh();
      notices?.refresh();
      if (!isWritten && !gone.signal.aborted) await drained(outgoing, gone.signal);
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
    clearInterval(comment);
    clearInterval(notices);
  }
}

/** Looks for news while nothing else comes: a retry is a quiet line, not an event (contract.md). */
function startNotices(outgoing: ServerResponse, notice: () => Promise<string | undefined>): NodeJS.Timeout {
  let told: string | undefined;
  return setInterval(() => {
    if (outgoing.writableLength > 0) return;
    notice().then(
      (text) => {
        if (text === undefined || text === told || outgoing.writableEnded) return;
        told = text;
        outgoing.write(`: ${text}\n\n`);
      },
      // A notice is a courtesy; the events themselves will tell of any trouble.
      () => undefined,
    );
  }, noticeEveryMs);
}

/** The `id` is what a browser's EventSource sends back as `Last-Event-ID` when it was cut off. */
function frame({ seq, type, data }: JournalRow): string {
  return `event: ${type}\nid: ${seq}\ndata: ${data}\n\n`;
}

async function drained(outgoing: ServerResponse, signal: AbortSignal): Promise<void> {
  await once(outgoing, 'drain', { signal }).catch(() => undefined);
}
