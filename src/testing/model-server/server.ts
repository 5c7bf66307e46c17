/**
 * A model provider that misbehaves on demand: real sockets, scripts as data, a log of what arrived.
 *
 * Built on `node:net` because an HTTP server would repair what is to be broken here: it writes its own framing,
 * ends what was left open and cannot reset a connection amid an answer.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { answerByPath, isModelsRequest, modelList } from './answers.ts';
import { Connection, type Host } from './connection.ts';
import { Gates } from './gates.ts';
import { nowMs, RequestLog, type LoggedRequest } from './request-log.ts';
import { checkScript, type Script } from './script.ts';

export type Reply = Script | ((request: LoggedRequest) => Script);

/** What becomes of a connection before a byte of it is read. `stall`: it is accepted and never looked at, no TLS handshake either. */
export type ConnectFate = 'accept' | 'reset' | 'fin' | 'stall';

export interface ModelServerOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** PEM. `selfSigned` is a pair that no client trusts. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Answers when the queue is empty. Default: a short whole answer in the API of the path, 404 elsewhere. */
  readonly fallback?: Reply;
  /** Answers `GET …/models`, which never takes a script from the queue. Default: one model, `scripted`. */
  readonly models?: Reply;
  /** false: requests are numbered and forgotten, for a server that runs for days. */
  readonly keepLog?: boolean;
}

export interface ModelServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/v1`, the form that `OPENAI_BASE_URL` has. */
  readonly baseUrl: string;
  readonly port: number;
  readonly requests: readonly LoggedRequest[];
  /** Every connection taken, those reset at once too, which bring no request. */
  readonly connections: readonly { readonly index: number; readonly acceptedAtMs: number }[];
  /** One reply for each request to come, in order. Throws a `TypeError` for a script that cannot be played. */
  enqueue(...replies: readonly Reply[]): void;
  /** One fate for each connection to come, in order; those after are accepted. */
  onConnect(...fates: readonly ConnectFate[]): void;
  /** Lets scripts pass `hold(name)`, those that are not there yet too. */
  release(name: string): void;
  /** Resolves once a script has come to `hold(name)`: all it wrote before has been handed to the kernel. */
  reached(name: string): Promise<void>;
  /** The nth request, the first being 1, once it has arrived. Rejects if the server is closed before. */
  nextRequest(n: number): Promise<LoggedRequest>;
  /** Resolves once the client has hung up on request n (its `index`) before the script had ended. Rejects if that ended first. */
  hungUp(n: number): Promise<LoggedRequest>;
  /** Stops listening and resets every connection. The queue, the gates and the log stay. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
  /** `stop`, for good. */
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
  const { fallback = answerByPath, models = modelList('scripted'), tls, keepLog = true } = options;
  const secureContext = tls === undefined ? undefined : createSecureContext(tls);
  const log = new RequestLog(keepLog);
  const gates = new Gates();
  const replies: Reply[] = [];
  const fates: ConnectFate[] = [];
  const connections: { readonly index: number; readonly acceptedAtMs: number }[] = [];
  const resets = new Map<Socket, () => void>();
  let accepted = 0;
  let port = options.port ?? 0;
  let listener: Server | undefined;
  for (const reply of [fallback, models]) check(reply);

  const host: Host = {
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
    const fate = fates.shift() ?? 'accept';
    if (fate === 'reset') tcp.resetAndDestroy();
    else if (fate === 'fin') tcp.resume().end();
    else if (fate === 'accept') {
      const stream = secureContext === undefined ? tcp : new TLSSocket(tcp, { isServer: true, secureContext });
      const connection = new Connection(accepted, tcp, stream, host);
      resets.set(tcp, () => connection.reset());
      // A request that is no HTTP, or a reply that throws, must not look like one of the scripted faults.
      connection.serve().catch((error: unknown) => {
        if (!stream.destroyed)
          stream.end(`HTTP/1.1 500 Script Error\r\nx-should-retry: false\r\nconnection: close\r\n\r\n${String(error)}\n`);
      });
    }
  };

  const start = async (): Promise<void> => {
    if (listener !== undefined) return;
    const starting = createServer(accept);
    starting.listen(port, '127.0.0.1');
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
    onConnect: (...more) => void fates.push(...more),
    release: (name) => gates.release(name),
    reached: (name) => gates.reached(name),
    nextRequest: (n) => log.arrived(n),
    hungUp: (n) => log.hungUp(n),
    stop,
    start,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function check(reply: Reply): void {
  if (typeof reply !== 'function') checkScript(reply);
}
