/**
 * The connections to one provider: undici's `Agent`, without `fetch` and without a client above it. One call is one request
 * (T4): nothing here follows a redirect, repeats a request, sets a deadline or decompresses, and the body goes from undici's
 * parser into a `ResponseBody`. `fetch` would drop the bytes that arrived before a reset, and costs a tenth of a turn's CPU.
 */
import { Readable } from 'node:stream';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { maskedResetCode } from '../failures/transport-failure.ts';
import { ResponseBody } from './body.ts';
import type { MakeDeadlines } from './exchange.ts';

export interface OutgoingRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** In pieces; never empty. */
  readonly body?: readonly Uint8Array[];
  /** Closes the socket, in whatever phase the request is. */
  readonly signal: AbortSignal;
  /** See `ProviderCallbacks`. */
  readonly maySend?: (() => boolean) | undefined;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: Headers;
}

export interface IncomingResponse extends ResponseHead {
  readonly body: ResponseBody;
}

export interface Connection {
  /**
   * Sends one request. Resolves with the head of its response; rejects with what broke the connection, with the reason of the
   * signal, or with `HttpStatusError` for a status that is not 2xx.
   */
  send(request: OutgoingRequest): Promise<IncomingResponse>;
  /** Instead of the clock. */
  readonly deadlines?: MakeDeadlines | undefined;
  /** Lets running requests end and closes the rest. */
  close(): Promise<void>;
}

/** A response that is not 2xx, its body unread. */
export class HttpStatusError extends Error {
  override readonly name = 'HttpStatusError';
  readonly status: number;
  readonly headers: Headers;
  readonly body: ResponseBody;
  constructor({ status, headers, body }: IncomingResponse) {
    super(`status ${status}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

/** The response headers that are read somewhere. */
const keptHeaders = ['content-type', 'content-encoding', 'location', 'retry-after', 'retry-after-ms', 'x-should-retry', 'x-request-id'];

export function openConnection({ connectTimeoutMs }: { readonly connectTimeoutMs: number }): Connection {
  // undici's own deadlines are off: a model may think for minutes, and `Deadlines` decides how long. Its connections are kept
  // a minute: a person types slower than the 4 s that are undici's default, and each turn would pay TCP and TLS.
  const agent = new Agent({
    allowH2: false,
    keepAliveTimeout: 60_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: connector(connectTimeoutMs),
  });
  return {
    send: async (request) => {
      const response = await dispatch(agent, request);
      if (response.status < 200 || response.status > 299) throw new HttpStatusError(response);
      return response;
    },
    close: () => agent.close(),
  };
}

function dispatch(agent: Agent, { method, url, headers, body: sent, signal, maySend }: OutgoingRequest): Promise<IncomingResponse> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const body = new ResponseBody();
    const onAbort = (): void => {
      body.close();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: (controller) => {
        // undici writes the request in this tick: a connection may have taken seconds, in which the turn may have been lost.
        if (maySend?.() === false) controller.abort(new Error('the request was kept back'));
        else body.attach(controller);
      },
      onResponseStart: (_controller, status, received) => {
        // An interim head, such as 103 Early Hints: the real one follows.
        if (status < 200) return;
        resolve({ status, headers: new Headers(keptOf(received)), body });
      },
      onResponseData: (_controller, chunk) => body.push(chunk),
      onResponseEnd: () => {
        signal.removeEventListener('abort', onAbort);
        body.finish();
      },
      onResponseError: (_controller, error) => {
        signal.removeEventListener('abort', onAbort);
        body.finish(error);
        reject(error);
      },
    };
    // In a compressed stream tokens may wait in the server's compressor, and a cut body looks like a whole one.
    const allHeaders = { ...headers, 'accept-encoding': 'identity' };
    const { origin, pathname, search } = url;
    agent.dispatch({ origin, path: pathname + search, method, ...entityOf(sent, allHeaders) }, handler);
  });
}

/** With its length, also where it is sent piece by piece: not every server of a model takes a request of unknown length. */
function entityOf(
  pieces: OutgoingRequest['body'],
  headers: OutgoingRequest['headers'],
): Pick<Dispatcher.DispatchOptions, 'body' | 'headers'> {
  const [first, ...more] = pieces ?? [];
  if (pieces === undefined || first === undefined) return { headers };
  if (more.length === 0) return { headers, body: first };
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return { headers: { ...headers, 'content-length': String(length) }, body: Readable.from(pieces) };
}

function keptOf(headers: Readonly<Record<string, string | string[] | undefined>>): [string, string][] {
  return keptHeaders.flatMap((name) => [headers[name] ?? []].flat().map((value): [string, string] => [name, value]));
}

/**
 * Renames the error code of a reset. Where only the end of the connection ends a body (HTTP/1.0, `connection: close`),
 * undici takes an `ECONNRESET` for the normal end, because macOS reports some normal ends so. Under another code a
 * reset is an error there too.
 */
function connector(timeout: number): buildConnector.connector {
  const connect = buildConnector({ timeout, allowH2: false });
  return (options, callback) => {
    connect(options, (...result) => {
      const [error, socket] = result;
      if (error === null) {
        socket.prependListener('error', (broken: NodeJS.ErrnoException) => {
          if (broken.code === 'ECONNRESET') broken.code = maskedResetCode;
        });
      }
      callback(...result);
    });
  };
}
