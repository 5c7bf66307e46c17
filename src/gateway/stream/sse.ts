/**
 * A turn's journal as server-sent events, straight onto the Node response: the rows' bytes as they are, so that
 * every viewer gets the same (T7). A slow viewer lags on its own cursor; nothing waits for it (T12).
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { JournalRow } from '../../domain/response-event.ts';
import { type EventStreamOptions, openEventStream } from './event-stream.ts';
import { type EncodedRows, encodedRows } from './encoded-rows.ts';

export interface SseOptions extends EventStreamOptions {
  /** Ends when the turn has ended. Must stop when `signal` aborts. */
  readonly rows: (signal: AbortSignal) => AsyncIterable<readonly JournalRow[]>;
}

/** Resolves when the stream has been written to its end or the viewer has gone. */
export async function writeSse({ rows, ...options }: SseOptions): Promise<void> {
  const { outgoing } = options;
  const stream = openEventStream(options);
  if (stream === undefined) return;
  const { signal, silence } = stream;
  try {
    for await (const batch of rows(signal)) {
      silence.isBroken = true;
      const drained = writeFrames(outgoing, encodedRows(batch), signal);
      if (drained !== undefined) await drained;
    }
    if (!signal.aborted) outgoing.end('data: [DONE]\n\n');
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
function writeFrames(outgoing: ServerResponse, { bytes, chunk }: EncodedRows, signal: AbortSignal): Promise<void> | undefined {
  const { socket } = outgoing;
  // HTTP/1.0 has no chunks; a pipelined answer has no socket before its turn.
  const target = socket !== null && outgoing.chunkedEncoding ? socket : outgoing;
  const isTaken = target.write(target === socket ? chunk : bytes);
  return isTaken || signal.aborted ? undefined : once(target, 'drain', { signal }).then(nothing, nothing);
}

function nothing(): void {}
