/** One client's connection: reads one request after the other and plays a script for each. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ByteReader } from './byte-reader.ts';
import { ClientSocket } from './client-socket.ts';
import type { Gates } from './gates.ts';
import { readRequest } from './http-request.ts';
import { play } from './play.ts';
import type { LoggedRequest, OpenRequest, RequestLog } from './request-log.ts';
import type { Script } from './script.ts';

/** What a connection needs of its server. */
export interface ServerContext {
  readonly log: RequestLog;
  readonly gates: Gates;
  readonly scriptFor: (request: LoggedRequest) => Script;
}

export class Connection {
  readonly #index: number;
  readonly #context: ServerContext;
  readonly #socket: ClientSocket;
  readonly #bytes = new ByteReader();
  #current: OpenRequest | undefined;

  constructor(index: number, tcp: Socket, stream: Duplex, context: ServerContext) {
    this.#index = index;
    this.#context = context;
    this.#socket = new ClientSocket(tcp, stream);
    stream.on('data', (chunk: Buffer) => this.#bytes.push(chunk));
    // After an `end` alone a client could still read; but no HTTP client in use half-closes its connection.
    for (const event of ['end', 'error', 'close']) stream.on(event, () => this.#onClientClosed());
  }

  /** Resolves when no further request will be read. */
  async serve(): Promise<void> {
    for (;;) {
      const request = await readRequest(this.#bytes, () => void this.#socket.write(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')));
      if (request === undefined || this.#socket.closed.aborted) return;
      const logged = this.#context.log.add(request, this.#index);
      this.#current = logged;
      const isReusable = await play(this.#context.scriptFor(logged), {
        socket: this.#socket,
        gates: this.#context.gates,
        request: logged,
        onEnd: () => this.#endRequest('server'),
      });
      if (!isReusable || !request.keepsAlive) break;
    }
    this.#socket.fin();
  }

  /** For a server that stops. */
  reset(): void {
    this.#endRequest('server');
    this.#socket.reset();
  }

  #onClientClosed(): void {
    this.#endRequest('client');
    this.#bytes.end();
    this.#socket.destroy();
  }

  #endRequest(by: 'client' | 'server'): void {
    if (this.#current !== undefined) this.#context.log.end(this.#current, by);
    this.#current = undefined;
  }
}
