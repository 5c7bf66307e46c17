/**
 * What is still on its way of a request that was answered before it had come to its end, such as a body that is refused for its
 * size. A socket that is closed with unread bytes resets the connection, and most clients then never see the answer: they send
 * all of a request before they read. So the rest is read and thrown away, within bounds.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface DiscardLimits {
  /** As much as a body may have, and as much again. */
  readonly discardBytes: number;
  /** From the moment when all of the response is written. */
  readonly discardMs: number;
}

/**
 * Behind the rest the connection can be used again, unless the client or the response has said `close`; where there is more, or
 * it takes longer, it is closed.
 */
export function discardRest(incoming: IncomingMessage, outgoing: ServerResponse, { discardBytes, discardMs }: DiscardLimits): void {
  outgoing.once('prefinish', () => {
    const { socket } = incoming;
    if (socket.destroyed) return;
    if (incoming.complete) {
      outgoing.once('finish', () => incoming.resume());
      return;
    }
    let bytes = 0;
    let isLast = false;
    // Node calls it behind a response that says `close`. Until the rest has come, only our half is closed.
    socket.destroySoon = () => {
      isLast = true;
      socket.end();
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > discardBytes) close();
    };
    const settle = (): void => {
      clearTimeout(timer);
      incoming.off('data', onData).off('end', onEnd);
      socket.off('close', settle);
      Reflect.deleteProperty(socket, 'destroySoon');
    };
    const close = (): void => {
      settle();
      socket.destroySoon();
    };
    const onEnd = (): void => {
      if (isLast) close();
      else settle();
    };
    const timer = setTimeout(close, discardMs);
    socket.once('close', settle);
    incoming.on('data', onData).once('end', onEnd).resume();
  });
}
