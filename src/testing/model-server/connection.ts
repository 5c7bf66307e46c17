/** One client's connection: reads requests one after the other and plays a script for each. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ByteReader } from './byte-reader.ts';
import type { Gates } from './gates.ts';
import { readRequest } from './http-request.ts';
import { play } from './play.ts';
import type { LoggedRequest, OpenRequest, RequestLog } from './request-log.ts';
import type { Script } from './script.ts';
import { ClientSocket } from './client-socket.ts';

export interface ServerContext {
  readonly log: RequestLog;
  readonly gates: Gates;
  readonly scriptFor: (request: LoggedRequest) => Script;
}

export class Connection {
  readonly #index: number;
  readonly #host: ServerContext;
  readonly #wire: ClientSocket;
  readonly #bytes = new ByteReader();
  #current: OpenRequest | undefined;

  constructor(index: number, tcp: Socket, stream: Duplex, host: ServerContext) {
    this.#index = index;
    this.#host = host;
    this.#wire = new ClientSocket(tcp, stream);
    stream.on('data', (chunk: Buffer) => this.#bytes.push(chunk));
    // An `end` alone might be a client that still listens; no HTTP client that matters half-closes, so it is a hang-up.
    for (const sign of ['end', 'error', 'close']) stream.on(sign, () => this.#clientLeft());
  }

  /** Resolves when no further request will be read. */
  async serve(): Promise<void> {
    for (;;) {
      const request = await readRequest(this.#bytes, () => void this.#wire.write(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')));
      if (request === undefined || this.#wire.closed.aborted) return;
      const logged = this.#host.log.add(request, this.#index);
      this.#current = logged;
      const isFit = await play(this.#host.scriptFor(logged), {
        wire: this.#wire,
        gates: this.#host.gates,
        request: logged,
        onEnd: () => this.#ended('server'),
      });
      if (!isFit) break;
      if (!request.keepsAlive) break;
    }
    this.#wire.fin();
  }

  /** For a server that stops: the client sees a reset. */
  reset(): void {
    this.#ended('server');
    this.#wire.reset();
  }

  #clientLeft(): void {
    this.#ended('client');
    this.#bytes.end();
    this.#wire.destroy();
  }

  #ended(by: 'client' | 'server'): void {
    if (this.#current !== undefined) this.#host.log.end(this.#current, by);
    this.#current = undefined;
  }
}
