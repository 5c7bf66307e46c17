/**
 * The connections to one provider: undici's own `fetch` over undici's own `Agent` (a dispatcher only fits the `fetch`
 * of its own version). One call is one request: `fetch` is only ever shown an empty 200 (`divertBody`), so it follows
 * no redirect, repeats nothing after a 421, reports a 407 as it is and decompresses nothing.
 */
import { Agent, buildConnector, type Dispatcher, fetch as undiciFetch } from 'undici';
import { maskedResetCode } from '../failures/transport-failure.ts';
import { ResponseBody } from './body.ts';

export interface Connection {
  /** As the global `fetch`, but the body is read through `bodyOf`, and a status that is not 2xx is thrown as `HttpStatusError`. */
  readonly fetch: typeof globalThis.fetch;
  /** The body of a response of this `fetch`. */
  bodyOf(response: Response): ResponseBody;
  /** Lets running requests end and closes the rest. */
  close(): Promise<void>;
}

/** A response that is not 2xx, its body unread: the `openai` client would read the body without a limit. */
export class HttpStatusError extends Error {
  override readonly name = 'HttpStatusError';
  readonly status: number;
  readonly headers: Headers;
  readonly body: ResponseBody;
  constructor({ status, headers, body }: Head & { readonly body: ResponseBody }) {
    super(`status ${status}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

interface RequestOptions extends RequestInit {
  /** See `ProviderCallbacks`. */
  readonly beforeSend?: () => Promise<void>;
  readonly maySend?: () => boolean;
}

interface Head {
  readonly status: number;
  readonly headers: Headers;
}

/** The request headers that go out. The client adds others by itself, those of `OPENAI_CUSTOM_HEADERS` among them. */
const forwardedHeaders = /^(?:accept|authorization|content-type|user-agent|x-stainless-.*)$/;
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
  const bodies = new WeakMap<Response, ResponseBody>();

  const fetch = async (
    url: string,
    { method, body, signal, headers, beforeSend, maySend = () => true }: RequestOptions = {},
  ): Promise<Response> => {
    const sent = [...new Headers(headers)].filter(([name]) => forwardedHeaders.test(name));
    // In a compressed stream tokens may wait in the server's compressor, and a cut body looks like a whole one.
    sent.push(['accept-encoding', 'identity']);
    const responseBody = new ResponseBody();
    signal?.addEventListener('abort', () => responseBody.close(), { once: true });
    let head: Head | undefined;
    const dispatcher = agent.compose(divertBody(responseBody, maySend, (status, headers) => (head = { status, headers })));
    await beforeSend?.();
    // undici and TypeScript's library each declare the same web types, and these do not match.
    await undiciFetch(url, { method, body, signal, headers: sent, dispatcher } as Parameters<typeof undiciFetch>[1]);
    if (head === undefined) throw new Error('a response without a head');
    if (head.status < 200 || head.status > 299) throw new HttpStatusError({ ...head, body: responseBody });
    const response = new Response(null, head);
    bodies.set(response, responseBody);
    return response;
  };
  return {
    fetch: fetch as typeof globalThis.fetch,
    bodyOf: (response) => {
      const body = bodies.get(response);
      if (body === undefined) throw new Error('a response of another connection');
      return body;
    },
    close: () => agent.close(),
  };
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

/**
 * Sends the body to `body` and shows `fetch` an empty 200 instead. Until the head has arrived `fetch` may abort the
 * request and reports its errors. After that it may not abort: it would do so as soon as its own Response, of which
 * nothing is kept here, is collected as garbage.
 */
function divertBody(
  body: ResponseBody,
  maySend: () => boolean,
  onHead: (status: number, headers: Headers) => void,
): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    let hasHead = false;
    const controllerForFetch = (controller: Dispatcher.DispatchController): Dispatcher.DispatchController => ({
      abort: (reason) => {
        if (!hasHead) controller.abort(reason);
      },
      pause: () => {},
      resume: () => {},
      aborted: false,
      paused: false,
      reason: null,
      rawHeaders: [],
      rawTrailers: [],
    });
    return dispatch(options, {
      onRequestStart: (controller, context) => {
        body.attach(controller);
        // undici writes the request in this tick: a connection may have taken seconds, in which the turn may have been lost.
        if (!maySend()) controller.abort(new Error('the request was kept back'));
        handler.onRequestStart?.(controllerForFetch(controller), context);
      },
      onResponseStart: (controller, status, headers) => {
        // An interim head, such as 103 Early Hints: the real one follows.
        if (status < 200) return;
        hasHead = true;
        const kept = keptHeaders.flatMap((name): [string, string][] => [headers[name] ?? []].flat().map((value) => [name, value]));
        onHead(status, new Headers(kept));
        handler.onResponseStart?.(controllerForFetch(controller), 200, {}, '');
        handler.onResponseEnd?.(controllerForFetch(controller), {});
      },
      onResponseData: (_controller, chunk) => body.push(chunk),
      onResponseEnd: () => body.finish(),
      onResponseError: (controller, error) => {
        body.finish(error);
        if (!hasHead) handler.onResponseError?.(controller, error);
      },
    });
  };
}
