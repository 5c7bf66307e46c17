/** Notes which turns' ends their clients have: a resend of such a turn's request is a new message (T1). */
import type { Socket } from 'node:net';
import type { Context } from 'hono';
import type { Turnkeep } from '../../client/turnkeep.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { GatewayEnv } from '../http/route.ts';

/** Much longer than a client's own retry takes to come, and a reset to arrive. */
const resetWithinMs = 10_000;

/** Of each connection, how to stop waiting for the reset that would take its last end back. */
const waits = new WeakMap<Socket, () => void>();

export interface AcknowledgeDeps {
  readonly turnkeep: Pick<Turnkeep, 'acknowledge' | 'retractAcknowledgement'>;
  readonly onStreamError: (error: unknown) => void;
}

/**
 * Notes that a client has the end of the turn, once the system has taken the last byte of this response; never when the
 * client goes, or is cut off, before. A small answer is taken in one piece, whether anybody reads it or not: a connection that
 * is reset soon after has lost it, and the note is taken back. What a proxy has taken and lost cannot be seen from here.
 */
export function acknowledgeOnceSent(c: Context<GatewayEnv>, { turnkeep, onStreamError }: AcknowledgeDeps, turn: TurnRow): void {
  const { outgoing, incoming } = c.env;
  const { socket } = incoming;
  outgoing.once('finish', () => {
    const noted = turnkeep.acknowledge(turn.id);
    noted.catch(onStreamError);
    onReset(socket, () => {
      noted.then(async () => turnkeep.retractAcknowledgement(turn.id)).catch(onStreamError);
    });
  });
}

/** One listener a connection: its next response says that the one before was read. */
function onReset(socket: Socket, then: () => void): void {
  waits.get(socket)?.();
  const onError = (error: NodeJS.ErrnoException): void => {
    stop();
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') then();
  };
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('error', onError);
    waits.delete(socket);
  };
  const timer = setTimeout(stop, resetWithinMs).unref();
  socket.on('error', onError);
  waits.set(socket, stop);
}
