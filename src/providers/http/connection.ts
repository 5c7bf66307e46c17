/**
 * The connections to one provider: undici's own `fetch` over undici's own `Agent` (a dispatcher goes with the fetch of
 * its version), with every surprise of `fetch` taken out: it sees a bare 200, and so follows no redirect, sends
 * nothing again upon 421, hides no 407 and unpacks nothing. One call is one request.
 */
import { Agent, buildConnector, type Dispatcher, fetch as undiciFetch } from 'undici';
import { WireBody } from './body.ts';

export interface Connection {
  /** As the global `fetch`, but the body is got by `bodyOf`, and whatever is not 2xx is thrown as `RefusedAnswer`. */
  readonly fetch: typeof globalThis.fetch;
  /** The body of an answer that `fetch` gave. */
  bodyOf(response: Response): WireBody;
  /** Lets running requests end and closes the rest. */
  close(): Promise<void>;
}

/** An answer that is not 2xx, its body unread: the `openai` client would read it without a limit. */
export class RefusedAnswer extends Error {
  override readonly name = 'RefusedAnswer';
  readonly status: number;
  readonly headers: Headers;
  readonly body: WireBody;
  constructor({ status, headers, body }: Head & { readonly body: WireBody }) {
    super(`status ${status}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

interface Head {
  readonly status: number;
  readonly headers: Headers;
}

/** What a model request needs; `OPENAI_CUSTOM_HEADERS`, which the client reads by itself, is not among it. */
const sentHeaders = /^(?:accept|authorization|content-type|user-agent|x-stainless-.*)$/;
const readHeaders = ['content-type', 'content-encoding', 'location', 'retry-after', 'retry-after-ms', 'x-should-retry', 'x-request-id'];

export function openConnection({ connectTimeoutMs }: { readonly connectTimeoutMs: number }): Connection {
  // undici's own deadlines are off: a model may think for minutes, and how long is for `Deadlines` to say.
  const agent = new Agent({ allowH2: false, headersTimeout: 0, bodyTimeout: 0, connect: connector(connectTimeoutMs) });
  const bodies = new WeakMap<Response, WireBody>();

  const fetch = async (url: string, { method, body, signal, headers }: RequestInit = {}): Promise<Response> => {
    const sent = [...new Headers(headers)].filter(([name]) => sentHeaders.test(name));
    // Compressed, tokens may sit in the server's compressor, and a cut body looks like a whole one.
    sent.push(['accept-encoding', 'identity']);
    const wire = new WireBody();
    signal?.addEventListener('abort', () => wire.close(), { once: true });
    let head: Head | undefined;
    const dispatcher = agent.compose(tapped(wire, (status, got) => (head = { status, headers: got })));
    // The two declare the same web types apart from each other.
    await undiciFetch(url, { method, body, signal, headers: sent, dispatcher } as Parameters<typeof undiciFetch>[1]);
    if (head === undefined) throw new Error('an answer without a head');
    if (head.status < 200 || head.status > 299) throw new RefusedAnswer({ ...head, body: wire });
    const response = new Response(null, head);
    bodies.set(response, wire);
    return response;
  };
  return {
    fetch: fetch as typeof globalThis.fetch,
    bodyOf: (response) => {
      const body = bodies.get(response);
      if (body === undefined) throw new Error('an answer of another connection');
      return body;
    },
    close: () => agent.close(),
  };
}

/**
 * A body that only the end of the connection ends (HTTP/1.0, `connection: close`) is ended normally by undici when
 * the connection is *reset*: a courtesy to macOS that it bases on the code. Under another name a reset stays one.
 */
export const resetCode = 'SOCKET_RESET';

function connector(timeout: number): buildConnector.connector {
  const connect = buildConnector({ timeout, allowH2: false });
  return (options, callback) => {
    connect(options, (...result) => {
      const [error, socket] = result;
      if (error === null) {
        socket.prependListener('error', (broken: NodeJS.ErrnoException) => {
          if (broken.code === 'ECONNRESET') broken.code = resetCode;
        });
      }
      callback(...result);
    });
  };
}

/**
 * Gives `fetch` the head of an empty 200 and the body to `wire`. Before the head, errors are `fetch`'s to report, and
 * it may abort. After that it may not: it would, once its own answer, of which we keep nothing, is collected as garbage.
 */
function tapped(wire: WireBody, onHead: (status: number, headers: Headers) => void): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    let hasHead = false;
    const quiet = (controller: Dispatcher.DispatchController): Dispatcher.DispatchController => ({
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
        wire.attach(controller);
        handler.onRequestStart?.(quiet(controller), context);
      },
      onResponseStart: (controller, status, headers) => {
        // 103 and its like come before the head.
        if (status < 200) return;
        hasHead = true;
        const told = readHeaders.flatMap((name): [string, string][] => [headers[name] ?? []].flat().map((value) => [name, value]));
        onHead(status, new Headers(told));
        handler.onResponseStart?.(quiet(controller), 200, {}, '');
        handler.onResponseEnd?.(quiet(controller), {});
      },
      onResponseData: (_controller, chunk) => wire.push(chunk),
      onResponseEnd: () => wire.finish(),
      onResponseError: (controller, error) => {
        wire.finish(error);
        if (!hasHead) handler.onResponseError?.(controller, error);
      },
    });
  };
}
