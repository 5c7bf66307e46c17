/** One client's socket, as scripts use it. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as tick } from 'node:timers/promises';

export class ClientSocket {
  readonly #tcp: Socket;
  readonly #stream: Duplex;
  readonly #gone = new AbortController();
  #pieceBytes = 0;

  /** `stream` is what the client's bytes are written to (TLS or not), `tcp` the socket below, which alone can be reset. */
  constructor(tcp: Socket, stream: Duplex) {
    this.#tcp = tcp;
    this.#stream = stream;
    tcp.setNoDelay(true);
  }

  /** Aborts once nobody listens any more: the client hung up or the server stopped. */
  get closed(): AbortSignal {
    return this.#gone.signal;
  }

  splitInto(pieceBytes: number): void {
    this.#pieceBytes = pieceBytes;
  }

  /** Resolves with the number of bytes the kernel has taken: all, or fewer if the client is gone. */
  async write(bytes: Buffer): Promise<number> {
    if (this.#pieceBytes === 0) return this.#flush(bytes);
    let sent = 0;
    for (let from = 0; from < bytes.length && !this.closed.aborted; from += this.#pieceBytes) {
      sent += await this.#flush(bytes.subarray(from, from + this.#pieceBytes));
      // Lets the reader, often in this very process, see each piece alone.
      await tick();
    }
    return sent;
  }

  fin(): void {
    this.#stream.end();
  }

  /** RST instead of FIN. A TLS socket cannot do that itself: it is the one below that has to. */
  reset(): void {
    this.#gone.abort();
    this.#tcp.resetAndDestroy();
    this.#stream.destroy();
  }

  /** Gives up: what still waits to be written fails, and no script goes on. */
  destroy(): void {
    this.#gone.abort();
    this.#stream.destroy();
    this.#tcp.destroy();
  }

  async #flush(bytes: Buffer): Promise<number> {
    if (bytes.length === 0 || this.closed.aborted) return 0;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#stream.write(bytes, (error) => resolve(error ? 0 : bytes.length));
    return promise;
  }
}
