/**
 * WebSocket handshakes as requests like any other: the same listener answers them, with a response that is written as HTTP
 * where the handshake is refused, and that is set aside where it is accepted. Other upgrades (`h2c`, as Java's client offers
 * it with each request) are not looked at: their requests are answered over HTTP/1.1.
 */
import { type IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface Upgrade {
  readonly socket: Socket;
  /** What the client sent behind its handshake already. */
  readonly head: Buffer;
  /** The socket is a WebSocket's from now on. The response says `close`, unfinished, once the socket is closed. */
  accept(): void;
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>();

/** undefined: the request is no handshake. */
export function upgradeOf(incoming: IncomingMessage): Upgrade | undefined {
  return upgrades.get(incoming);
}

/** Where the API opens WebSockets (`gateway/responses/websocket/route.ts`). Every other request stays with Node, and its limits. */
const webSocketPaths: ReadonlySet<string> = new Set(['/v1/responses', '/responses']);

/** For the server's `shouldUpgradeCallback`, which Node has since 24.9 and 22.21: older ones take every upgrade to the listener. */
export function isHandshake({ method, headers, url = '' }: Pick<IncomingMessage, 'method' | 'headers' | 'url'>): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && webSocketPaths.has(url.split('?', 1)[0] ?? '');
}

/**
 * What is no WebSocket yet, or was refused, is cut by the server's `closeAllConnections`, as Node does not do by itself.
 * @param refusal the bytes of a response to an upgrade that is no WebSocket's: its body, if it has one, was not read
 */
export function serveHandshakes(server: Server, listener: RequestListener, refusal: string): void {
  const waiting = new Set<Socket>();
  const closeAllConnections = server.closeAllConnections.bind(server);
  server.closeAllConnections = () => {
    closeAllConnections();
    for (const socket of waiting) socket.destroy();
  };
  server.on('upgrade', (incoming: IncomingMessage, stream: Duplex, head: Buffer) => {
    // Of an HTTP server it is always one.
    const socket = stream as Socket;
    const onError = (): void => {
      socket.destroy();
    };
    socket.on('error', onError);
    waiting.add(socket);
    socket.once('close', () => waiting.delete(socket));
    if (!isHandshake(incoming)) {
      socket.end(refusal, onError);
      return;
    }
    const outgoing = new ServerResponse(incoming);
    // Node has let go of the connection: it carries no second request.
    outgoing.shouldKeepAlive = false;
    outgoing.assignSocket(socket);
    const onFinish = (): void => {
      socket.end(onError);
    };
    outgoing.once('finish', onFinish);
    upgrades.set(incoming, {
      socket,
      head,
      accept: () => {
        outgoing.off('finish', onFinish);
        outgoing.detachSocket(socket);
        socket.off('error', onError);
        waiting.delete(socket);
        socket.once('close', () => outgoing.emit('close'));
      },
    });
    listener(incoming, outgoing);
  });
}
