/** Writes a turn's journal to one viewer as server-sent events, straight onto Node's response. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { JournalRow, ResponseEvent } from '../../domain/response/response-event.ts';
import type { EncodedRows, TurnEncoder } from './encode.ts';
import { httpLimits } from '../../http/server.ts';
import { KeepAlive, type KeepAliveOptions } from './keep-alive.ts';

export interface SseOptions extends KeepAliveOptions {
  /** Ends when the turn has ended. Must stop when `signal` aborts. */
  readonly rows: (signal: AbortSignal) => AsyncIterable<readonly JournalRow[]>;
  /** Aborts when the viewer has gone; see `disconnectSignal`. */
  readonly signal: AbortSignal;
  /** Is the turn over, also where this viewer has not read to its end? */
  readonly hasEnded: () => Promise<boolean>;
  /** How long a viewer may take nothing of a turn that is over; a minute by default. */
  readonly unreadTimeoutMs?: number | undefined;
  readonly encoder: TurnEncoder;
  /** Called with the number of an event once the system has taken it, and those before. */
  readonly onWritten?: ((seq: number) => void) | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Resolves when the stream has been written to its end or the viewer has gone. A slow viewer lags on its own cursor;
 * nothing waits for it (T12). One that takes nothing of a turn that is over is cut: what it holds back is let go. Rejects
 * where the rows break off, after cutting the response: one that ended properly would look whole, and its viewer would not
 * resume.
 */
export async function writeSse(sse: SseOptions): Promise<void> {
  const { rows, signal, hasEnded, encoder, headers, unreadTimeoutMs, onWritten, ...options } = sse;
  const { outgoing } = options;
  if (signal.aborted) return;
  const viewer: SseViewer = { outgoing, signal, unreadTimeoutMs: unreadTimeoutMs ?? httpLimits.unreadTimeoutMs };
  outgoing.on('timeout', () => void cutIfOver(viewer, hasEnded));
  const keepAlive = new KeepAlive(options);
  let release = (): void => {};
  try {
    outgoing.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      // Without it nginx buffers the events.
      'x-accel-buffering': 'no',
      ...encoder.headers,
      ...headers,
    });
    // The headers go out with the events that are there already, and at once if there are none.
    holdForNow(outgoing.socket);
    outgoing.flushHeaders();
    if (encoder.preface) outgoing.write(encoder.preface);
    for await (const batch of rows(signal)) {
      const encoded = encoder.encode(batch);
      if (encoded === '') continue;
      keepAlive.wrote();
      // The end of the body, which follows at once, goes out with the last event.
      const last = batch.at(-1);
      const lastType = last?.type ?? '';
      if (finalTypes.has(lastType)) holdForNow(outgoing.socket);
      const held = release;
      if (openingTypes.has(lastType)) release = hold(outgoing.socket, openingHoldMs);
      const drained = typeof encoded === 'string' ? write(viewer, outgoing, encoded) : writeShared(viewer, encoded);
      held();
      if (drained !== undefined) await drained;
      if (last !== undefined && !signal.aborted) onWritten?.(last.seq);
    }
    if (!signal.aborted) outgoing.end(encoder.ending);
  } catch (error) {
    outgoing.destroy();
    throw error;
  } finally {
    release();
    keepAlive.stop();
  }
}

/**
 * The events that say that a turn is there wait this long, ms, for the first token, and go out together with it: to wake the
 * client in between takes 0.5 ms from the request to the model, where they share a machine. Nobody sees 10 ms.
 */
const openingHoldMs = 10;

const openingTypes: ReadonlySet<string> = new Set<ResponseEvent['type']>(['response.created', 'response.queued', 'response.in_progress']);

const finalTypes: ReadonlySet<string> = new Set<ResponseEvent['type']>(['response.completed', 'response.incomplete', 'response.failed']);

interface SseViewer {
  readonly outgoing: ServerResponse;
  /** Aborts when the viewer has gone. */
  readonly signal: AbortSignal;
  readonly unreadTimeoutMs: number;
}

/** What is written in this turn of the event loop is one write of the system: of the 20 of a short answer it saves two. */
function holdForNow(socket: Socket | null): void {
  socket?.cork();
  setImmediate(() => socket?.uncork());
}

/** Keeps back what is written to the socket, until what it returns is called or the time is over. */
function hold(socket: Socket | null, ms: number): () => void {
  socket?.cork();
  let isHeld = true;
  const release = (): void => {
    if (isHeld) socket?.uncork();
    isHeld = false;
    clearTimeout(timer);
  };
  const timer = setTimeout(release, ms);
  return release;
}

/** Its socket has taken nothing for `unreadTimeoutMs`. While the turn runs, a viewer may pause for as long as it likes. */
async function cutIfOver({ outgoing, unreadTimeoutMs }: SseViewer, hasEnded: SseOptions['hasEnded']): Promise<void> {
  // A database that does not answer just now is asked again.
  const isOver = outgoing.writableEnded || (await hasEnded().catch(() => false));
  if (isOver) outgoing.destroy();
  else outgoing.socket?.setTimeout(unreadTimeoutMs);
}

/**
 * Most of what an event costs is its way to the kernel, viewer by viewer: 5.3 of the 6.9 us of a bare `socket.write`
 * (BENCHMARKS.md). `ServerResponse.write` makes three writes of a chunk: length, bytes, line's end. So one buffer, the same
 * for all viewers, goes to the socket as it is. It relies on Node's own writes of the body being on that socket by then, in
 * order: `test/gateway/stream/sse.test.ts` reads what arrives, also of pipelined requests.
 */
function writeShared(viewer: SseViewer, { bytes, chunk }: EncodedRows): Promise<void> | undefined {
  const { socket, chunkedEncoding } = viewer.outgoing;
  // HTTP/1.0 has no chunks; a pipelined response has no socket before its turn.
  return socket !== null && chunkedEncoding ? write(viewer, socket, chunk) : write(viewer, viewer.outgoing, bytes);
}

/** Returns what to wait for before more is written; undefined when there is room. */
function write(viewer: SseViewer, target: Writable, data: Buffer | string): Promise<void> | undefined {
  return target.write(data) || viewer.signal.aborted ? undefined : drain(viewer, target);
}

async function drain({ outgoing, signal, unreadTimeoutMs }: SseViewer, target: Writable): Promise<void> {
  outgoing.socket?.setTimeout(unreadTimeoutMs);
  await once(target, 'drain', { signal }).catch(() => undefined);
  outgoing.socket?.setTimeout(0);
}
