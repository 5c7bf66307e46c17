/**
 * Node's HTTP server with a bound on every wait for a client, and none on a response: a turn may take an hour. Headers
 * and bodies that come too slowly, connections on which nothing comes, and responses that nobody takes, end within these
 * limits; TCP's keep-alive finds peers that have vanished.
 */
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { discardRest, type DiscardLimits } from './discard-rest.ts';
import { isHandshake, serveHandshakes } from './upgrade.ts';

export interface HttpLimits extends DiscardLimits {
  /** From the connection, or the request before, to the end of the headers. */
  readonly headersTimeoutMs: number;
  /** To the end of the body, also where no code reads it. Longer than `BodyLimits.timeoutMs`, which names the cause. */
  readonly requestTimeoutMs: number;
  /** Between two requests. Longer than the minute of most proxies: a proxy that closes first loses no request. */
  readonly keepAliveTimeoutMs: number;
  /** How long a client may take nothing of a response that has been written to its end: until then it is all in memory. */
  readonly unreadTimeoutMs: number;
  readonly maxHeaderBytes: number;
  /** How often Node checks the limits. */
  readonly checkEveryMs: number;
}

export const httpLimits: HttpLimits = {
  headersTimeoutMs: 20_000,
  requestTimeoutMs: 90_000,
  keepAliveTimeoutMs: 75_000,
  unreadTimeoutMs: 60_000,
  maxHeaderBytes: 16 * 1024,
  discardBytes: 64 * 1024 * 1024,
  discardMs: 10_000,
  checkEveryMs: 5_000,
};

const keepAliveProbeAfterMs = 60_000;

/** Responses to what Node's parser and timeouts reject. Everything else is a 400. */
const clientErrors: { readonly [code: string]: readonly [statusLine: string, code: string, message: string] } = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'headers_too_large', 'The headers are too large.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Content Too Large', 'request_too_large', 'The chunk extensions are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'request_timeout', 'The request took too long to arrive.'],
};

export function createHttpServer(listener: RequestListener, limits: HttpLimits = httpLimits): Server {
  const responses = new WeakMap<Duplex, ServerResponse>();
  const server = createServer(
    {
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveProbeAfterMs,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      maxHeaderSize: limits.maxHeaderBytes,
      connectionsCheckingInterval: limits.checkEveryMs,
      shouldUpgradeCallback: isHandshake,
    },
    (incoming, outgoing) => {
      responses.set(incoming.socket, outgoing);
      outgoing.once('prefinish', () => {
        cutIfUnread(outgoing, limits.unreadTimeoutMs);
      });
      discardRest(incoming, outgoing, limits);
      listener(incoming, outgoing);
    },
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const response = responses.get(socket);
    const isResponding = response?.headersSent === true && !response.writableFinished;
    // In the middle of a response there is no place for another.
    if (isResponding || !socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else socket.end(errorResponse(error.code), () => socket.destroy());
  });
  serveHandshakes(server, listener, errorResponse());
  return server;
}

/** Resolves once the server listens. @throws when it cannot. @param onError gets what goes wrong after that, such as a lack of memory for one more connection: the server goes on */
export async function listen(
  server: Server,
  { host, port, onError }: { readonly host: string; readonly port: number; readonly onError: (error: Error) => void },
): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', onError);
  return server.address() as AddressInfo;
}

/** Node's timeout of a socket counts from the last byte that the system took, also in the midst of a large write. */
function cutIfUnread(outgoing: ServerResponse, timeoutMs: number): void {
  if (outgoing.writableLength > 0) outgoing.socket?.setTimeout(timeoutMs);
}

function errorResponse(nodeCode = ''): string {
  const [statusLine, code, message] = clientErrors[nodeCode] ?? ['400 Bad Request', 'invalid_http', 'This is not valid HTTP.'];
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code } });
  return `HTTP/1.1 ${statusLine}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** The responses of a server that have not ended. */
export class OpenResponses {
  readonly #open = new Set<ServerResponse>();
  #onNone: () => void = () => {};

  add(response: ServerResponse): void {
    this.#open.add(response);
    response.once('close', () => {
      this.#open.delete(response);
      if (this.#open.size === 0) this.#onNone();
    });
  }

  /** Resolves when all have ended, or after this time. */
  async untilNone(withinMs: number): Promise<void> {
    if (this.#open.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#onNone = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
