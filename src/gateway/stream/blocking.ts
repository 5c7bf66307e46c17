/** A blocking answer: headers once the turn is accepted, a blank now and then (legal before JSON), then the response. */
import type { ServerResponse } from 'node:http';

const idleBlankMs = 15_000;

/** @param answer resolves with the JSON to send; it must stop when its signal aborts. */
export async function writeWhenReady(
  outgoing: ServerResponse,
  answer: (signal: AbortSignal) => Promise<unknown>,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  if (outgoing.destroyed) return;
  const gone = new AbortController();
  outgoing.on('close', () => {
    gone.abort();
  });
  outgoing.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    // nginx would hold the headers back with the body, until clients give up on them.
    'x-accel-buffering': 'no',
    ...headers,
  });
  outgoing.flushHeaders();
  const blank = setInterval(() => outgoing.write(' '), idleBlankMs);
  try {
    const json = await answer(gone.signal);
    if (!gone.signal.aborted) outgoing.end(JSON.stringify(json));
  } catch (error) {
    outgoing.destroy();
    throw error;
  } finally {
    clearInterval(blank);
  }
}
