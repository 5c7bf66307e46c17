/**
 * The faulty model server: real sockets, scripts as data, a log of the requests.
 *
 * Built on `node:net`, because `node:http` prevents the faults that are wanted here: it writes the framing itself, ends
 * unfinished bodies and cannot reset a connection within a response.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { defaultReply, isModelsRequest, modelList } from './common-scripts.ts';
import { Connection, type ServerContext } from './connection.ts';
import { Gates } from './gates.ts';
import { type LoggedRequest, nowMs, RequestLog } from './request-log.ts';
import { checkScript, type Script } from './script.ts';

/** A script, or a function that chooses one when the request has arrived. */
export type Reply = Script | ((request: LoggedRequest) => Script);

/** What is done with a new connection, before a byte of it is read. `stall`: it is accepted and never read, without a TLS handshake. */
export type ConnectAction = 'accept' | 'reset' | 'fin' | 'stall';

export interface ModelServerOptions {
  /** Default 0: a free one. */
  readonly port?: number;
  /** What it listens on; the loopback address by default. */
  readonly host?: string;
  /** Key and certificate in PEM, for HTTPS; `selfSigned` is such a pair. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** The reply when the queue is empty. Default: `Hello world` in the API of the path, 404 for other paths. */
  readonly fallback?: Reply;
  /** The reply to `GET …/models`, which takes none from the queue. Default: one model, `scripted`. */
  readonly models?: Reply;
  /** Default true. false: requests are numbered but not kept, for a server that runs for days. */
  readonly keepLog?: boolean;
}

export interface ModelServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/v1`, for `OPENAI_BASE_URL`. */
  readonly baseUrl: string;
  readonly port: number;
  /** Every request so far, in order of arrival; entries are updated until the response has ended. */
  readonly requests: readonly LoggedRequest[];
  /** Every connection so far, also those that were reset before a request. Times in ms since 1970. */
  readonly connections: readonly { readonly index: number; readonly acceptedAtMs: number }[];
  /** Adds replies to the queue: one for each request to come, in order. Throws a `TypeError` for a script that cannot be played. */
  enqueue(...replies: readonly Reply[]): void;
  /** Adds one action for each connection to come, in order; after these connections are accepted. */
  onConnect(...actions: readonly ConnectAction[]): void;
  /** Lets scripts pass `hold(name)`, also those that come to it later. */
  release(name: string): void;
  /** Resolves once a script has come to `hold(name)`: the kernel has all bytes before it. */
  reached(name: string): Promise<void>;
  /** The nth request, the first being 1, once it has arrived. Rejects if the server is closed before. */
  nextRequest(n: number): Promise<LoggedRequest>;
  /** Resolves once the client has closed the connection of request n (its `index`) before the script ended. Rejects if the script ended first. */
  clientClosed(n: number): Promise<LoggedRequest>;
  /** Stops listening and resets every connection. Queue, gates and log stay. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
  /** `stop`, and rejects whatever still waits for a request. */
  close(): Promise<void>;
}

/**
 * A model server that answers as a test scripts it: answers, errors, silence, resets.
 *
 * @example
 *     import { chatAnswer, httpError, startModelServer } from 'turnkeep/testing';
 *
 *     const server = await startModelServer();
 *     server.enqueue(httpError(503), chatAnswer('Hel', 'lo'));
 *     console.log(server.baseUrl, server.requests.length);
 *     await server.close();
 */
export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const { fallback = defaultReply, models = modelList('scripted'), tls, host = '127.0.0.1', keepLog = true } = options;
  const secureContext = tls === undefined ? undefined : createSecureContext(tls);
  const log = new RequestLog(keepLog);
  const gates = new Gates();
  const replies: Reply[] = [];
  const actions: ConnectAction[] = [];
  const connections: { readonly index: number; readonly acceptedAtMs: number }[] = [];
  const resets = new Map<Socket, () => void>();
  let accepted = 0;
  let port = options.port ?? 0;
  let listener: Server | undefined;
  for (const reply of [fallback, models]) check(reply);

  const context: ServerContext = {
    log,
    gates,
    scriptFor: (request) => {
      const reply = isModelsRequest(request) ? models : (replies.shift() ?? fallback);
      const script = typeof reply === 'function' ? reply(request) : reply;
      checkScript(script);
      return script;
    },
  };

  const accept = (tcp: Socket): void => {
    accepted += 1;
    if (keepLog) connections.push({ index: accepted, acceptedAtMs: nowMs() });
    resets.set(tcp, () => tcp.resetAndDestroy());
    tcp.on('close', () => resets.delete(tcp));
    tcp.on('error', () => {});
    const action = actions.shift() ?? 'accept';
    if (action === 'reset') tcp.resetAndDestroy();
    else if (action === 'fin') tcp.resume().end();
    else if (action === 'accept') {
      const stream = secureContext === undefined ? tcp : new TLSSocket(tcp, { isServer: true, secureContext });
      const connection = new Connection(accepted, tcp, stream, context);
      resets.set(tcp, () => connection.reset());
      // A request that is not HTTP, or a reply that throws: an error of the test, which must not look like a scripted fault.
      connection.serve().catch((error: unknown) => {
        if (!stream.destroyed)
          stream.end(`HTTP/1.1 500 Script Error\r\nx-should-retry: false\r\nconnection: close\r\n\r\n${String(error)}\n`);
      });
    }
  };

  const start = async (): Promise<void> => {
    if (listener !== undefined) return;
    const starting = createServer(accept);
    starting.listen(port, host);
    await once(starting, 'listening');
    listener = starting;
    port = (starting.address() as AddressInfo).port;
  };

  const stop = async (): Promise<void> => {
    const stopping = listener;
    if (stopping === undefined) return;
    listener = undefined;
    const closed = once(stopping, 'close');
    stopping.close();
    for (const reset of resets.values()) reset();
    await closed;
  };

  const close = async (): Promise<void> => {
    await stop();
    log.close();
  };

  await start();
  return {
    baseUrl: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/v1`,
    port,
    requests: log.requests,
    connections,
    enqueue: (...more) => {
      more.forEach(check);
      replies.push(...more);
    },
    onConnect: (...more) => void actions.push(...more),
    release: (name) => gates.release(name),
    reached: (name) => gates.reached(name),
    nextRequest: (n) => log.arrived(n),
    clientClosed: (n) => log.clientClosed(n),
    stop,
    start,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function check(reply: Reply): void {
  if (typeof reply !== 'function') checkScript(reply);
}
