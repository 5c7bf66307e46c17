/** Writes a turn's journal to one viewer as server-sent events, straight onto Node's response. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import type { JournalRow } from '../../domain/response-event.ts';
import type { EncodedRows, TurnEncoder } from './encode.ts';
import { disconnectSignal, KeepAlive, type KeepAliveOptions } from './keep-alive.ts';

export interface SseOptions extends KeepAliveOptions {
  /** Ends when the turn has ended. Must stop when `signal` aborts. */
  readonly rows: (signal: AbortSignal) => AsyncIterable<readonly JournalRow[]>;
  readonly encoder: TurnEncoder;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Resolves when the stream has been written to its end or the viewer has gone. A slow viewer lags on its own cursor;
 * nothing waits for it (T12). Rejects where the rows break off, after cutting the response: one that ended properly
 * would look whole, and its viewer would not resume.
 */
export async function writeSse({ rows, encoder, headers, ...options }: SseOptions): Promise<void> {
  const { outgoing } = options;
  const signal = disconnectSignal(outgoing);
  if (signal === undefined) return;
  outgoing.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    // Without it nginx buffers the events.
    'x-accel-buffering': 'no',
    ...encoder.headers,
    ...headers,
  });
  outgoing.flushHeaders();
  outgoing.socket?.setNoDelay(true);
  const keepAlive = new KeepAlive(options);
  try {
    if (encoder.preface) outgoing.write(encoder.preface);
    for await (const batch of rows(signal)) {
      const encoded = encoder.encode(batch);
      if (encoded === '') continue;
      keepAlive.wrote();
      const drained = typeof encoded === 'string' ? write(outgoing, encoded, signal) : writeShared(outgoing, encoded, signal);
      if (drained !== undefined) await drained;
    }
    if (!signal.aborted) outgoing.end(encoder.ending);
  } catch (error) {
    outgoing.destroy();
    throw error;
  } finally {
    keepAlive.stop();
  }
}

/**
 * Most of what an event costs is its way to the kernel, viewer by viewer: 5.3 of the 6.9 us of a bare `socket.write`
 * (BENCHMARKS.md). `ServerResponse.write` makes three writes of a chunk: length, bytes, line's end. So one buffer, the same
 * for all viewers, goes to the socket as it is. It relies on Node's own writes of the body being on that socket by then, in
 * order: `test/gateway/stream/sse.test.ts` reads what arrives, also of pipelined requests.
 */
function writeShared(outgoing: ServerResponse, { bytes, chunk }: EncodedRows, signal: AbortSignal): Promise<void> | undefined {
  const { socket } = outgoing;
  // HTTP/1.0 has no chunks; a pipelined response has no socket before its turn.
  return socket !== null && outgoing.chunkedEncoding ? write(socket, chunk, signal) : write(outgoing, bytes, signal);
}

/** Returns what to wait for before more is written; undefined when there is room. */
function write(target: Writable, data: Buffer | string, signal: AbortSignal): Promise<void> | undefined {
  const hasRoom = target.write(data);
  return hasRoom || signal.aborted ? undefined : once(target, 'drain', { signal }).then(ignore, ignore);
}

function ignore(): void {}
