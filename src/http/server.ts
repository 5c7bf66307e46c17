/**
 * Node's HTTP server with every wait for a client bounded, and no bound on an answer: a turn may take an hour.
 * Dribbled or missing headers, dribbled bodies and connections that say nothing at all end within these limits;
 * peers that are gone without a word are found by TCP itself.
 */
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export interface HttpLimits {
  /** From the connection, or the request before, to the end of the headers. */
  readonly headersTimeoutMs: number;
  /** To the end of the body, also where nobody reads it. Longer than `BodyLimits` allows, whose answer is better. */
  readonly requestTimeoutMs: number;
  /** Between two requests. Longer than the minute that proxies keep theirs: the one who closes first loses no request. */
  readonly keepAliveTimeoutMs: number;
  readonly maxHeaderBytes: number;
  /** How often the limits are looked at. */
  readonly checkEveryMs: number;
}

const httpLimits: HttpLimits = {
  headersTimeoutMs: 20_000,
  requestTimeoutMs: 90_000,
  keepAliveTimeoutMs: 75_000,
  maxHeaderBytes: 16 * 1024,
  checkEveryMs: 5_000,
};

const keepAliveProbeAfterMs = 60_000;

/** Statuses of what Node's parser and clocks complain of; whatever else is a 400. */
const refusals: { readonly [code: string]: readonly [status: string, code: string, message: string] } = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'headers_too_large', 'The headers are too large.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Content Too Large', 'request_too_large', 'The chunk extensions are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'request_timeout', 'The request took too long to arrive.'],
};

export function createHttpServer(listener: RequestListener, limits: HttpLimits = httpLimits): Server {
  const answers = new WeakMap<Duplex, ServerResponse>();
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
    },
    (incoming, outgoing) => {
      answers.set(incoming.socket, outgoing);
      listener(incoming, outgoing);
    },
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const answer = answers.get(socket);
    const isAnswering = answer?.headersSent === true && !answer.writableFinished;
    // In the middle of an answer there is nothing left to say.
    if (isAnswering || !socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else socket.end(refusalOf(error.code), () => socket.destroy());
  });
  return server;
}

function refusalOf(code = ''): string {
  const [status, told, message] = refusals[code] ?? ['400 Bad Request', 'invalid_http', 'This is not valid HTTP.'];
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code: told } });
  return `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
