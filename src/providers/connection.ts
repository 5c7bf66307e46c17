/**
 * The connections to one provider: undici's own `fetch` over undici's own `Agent` (a dispatcher goes with the fetch of
 * its version), with every surprise of `fetch` taken out. One call is one request, or none.
 */
import { Agent, buildConnector, type Dispatcher, fetch as undiciFetch } from 'undici';

export interface Connection {
  /** As the global `fetch`, but whatever is not 2xx is thrown as `RefusedAnswer`. */
  readonly fetch: typeof globalThis.fetch;
  /** Lets running requests end and closes the rest. */
  close(): Promise<void>;
}

/** An answer that is not 2xx, its body unread: the `openai` client would read it without a limit. */
export class RefusedAnswer extends Error {
  override readonly name = 'RefusedAnswer';
  readonly status: number;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;
  constructor({ status, headers, body }: Pick<Response, 'status' | 'headers' | 'body'>) {
    super(`status ${status}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

/** What a model request needs; `OPENAI_CUSTOM_HEADERS`, which the client reads by itself, is not among it. */
const sentHeaders = /^(?:accept|authorization|content-type|user-agent|x-stainless-.*)$/;

export function openConnection({ connectTimeoutMs }: { readonly connectTimeoutMs: number }): Connection {
  // undici's own deadlines are off: a model may think for minutes, and how long is for `Deadlines` to say.
  const agent = new Agent({ allowH2: false, headersTimeout: 0, bodyTimeout: 0, connect: connector(connectTimeoutMs) });
  const dispatcher = agent.compose(withoutSpecialStatuses);

  const fetch = async (url: string, { method, body, signal, headers }: RequestInit = {}): Promise<Response> => {
    const sent = [...new Headers(headers)].filter(([name]) => sentHeaders.test(name));
    // Compressed, tokens may sit in the server's compressor, and a cut body looks like a whole one.
    sent.push(['accept-encoding', 'identity']);
    const init = { method, body, signal, headers: sent, redirect: 'manual', dispatcher } as Parameters<typeof undiciFetch>[1];
    const response = (await undiciFetch(url, init)) as unknown as Response;
    if (!response.ok) throw new RefusedAnswer(response);
    return response;
  };
  return { fetch: fetch as typeof globalThis.fetch, close: () => agent.close() };
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

/** `fetch` sends a request again by itself upon 421, and hides 407 behind a bare network error. */
function withoutSpecialStatuses(dispatch: Dispatcher.Dispatch): Dispatcher.Dispatch {
  return (options, handler) => {
    const guarded: Dispatcher.DispatchHandler = Object.create(handler);
    guarded.onResponseStart = function onResponseStart(this: unknown, controller, status, headers, statusText): void {
      if (status === 407 || status === 421) {
        throw new RefusedAnswer({ status, headers: new Headers(), body: null });
      }
      handler.onResponseStart?.call(this as Dispatcher.DispatchHandler, controller, status, headers, statusText);
    };
    return dispatch(options, guarded);
  };
}
