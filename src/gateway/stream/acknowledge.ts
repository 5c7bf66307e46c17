/** Notes which turns' ends their clients have: a resend of such a turn's request is a new message (T1). */
import type { Socket } from 'node:net';
import type { Context } from 'hono';
import type { Turnkeep } from '../../client/turnkeep.ts';
import type { GatewayEnv } from '../http/route.ts';

/** Longer than a reset takes to arrive: the client's own retry comes half a second later, at the earliest. */
const resetWithinMs = 2_000;

/** Of each connection, how to stop waiting for the reset that would take its last end back. */
const waits = new WeakMap<Socket, () => void>();

export interface AcknowledgeDeps {
  readonly turnkeep: Pick<Turnkeep, 'acknowledge' | 'retractAcknowledgement'>;
  readonly onStreamError: (error: unknown) => void;
}

/**
 * Notes that a client has the end of the turn, once the system has taken the last byte of this response; never when the
 * client goes, or is cut off, before. A small answer is taken in one piece, whether anybody reads it or not: a connection that
 * is reset soon after, and has brought no other request, has lost it, and the note is taken back. What a proxy has taken and
 * lost cannot be seen from here.
 */
export function acknowledgeOnceSent(
  c: Context<GatewayEnv>,
  { turnkeep, onStreamError }: AcknowledgeDeps,
  // Of a turn the id alone is kept here for seconds: it may have long settings.
  { id }: { readonly id: string },
): void {
  const { outgoing, incoming } = c.env;
  const { socket } = incoming;
  outgoing.once('finish', () => {
    const noted = turnkeep.acknowledge(id).catch((error: unknown) => {
      onStreamError(error);
      return false;
    });
    onReset(socket, () => {
      noted
        // Another client has it as well.
        .then(async (isFirst) => (isFirst ? turnkeep.retractAcknowledgement(id) : undefined))
        .catch(onStreamError);
    });
  });
}

/** To be called with each request: its client has read what came before it on the connection. */
export function readToHere(socket: Socket): void {
  waits.get(socket)?.();
}

function onReset(socket: Socket, then: () => void): void {
  readToHere(socket);
  const onError = (error: NodeJS.ErrnoException): void => {
    stop();
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') then();
  };
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('error', onError).off('close', stop);
    waits.delete(socket);
  };
  // A process that stood still finds the timer due before it has read the reset: the sockets are read before immediates run.
  const timer = setTimeout(() => setImmediate(stop), resetWithinMs).unref();
  socket.on('error', onError).on('close', stop);
  waits.set(socket, stop);
}
