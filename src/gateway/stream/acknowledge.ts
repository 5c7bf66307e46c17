/** When a client has got the end of a turn: a resend of its request is a new message from then on, and joins until then. */
import type { ServerResponse } from 'node:http';

/** Calls `mark` once the whole answer is in the hands of the system; never when the client has gone, or is cut off, before. */
export function acknowledgeOnceSent(outgoing: ServerResponse, mark: () => Promise<void>, onError: (error: unknown) => void): void {
  outgoing.once('finish', () => {
    mark().catch(onError);
  });
}
