/** The server's end of one client's connection, with the operations that steps need. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as tick } from 'node:timers/promises';

export class ClientSocket {
  readonly #tcp: Socket;
  readonly #stream: Duplex;
  readonly #closed = new AbortController();
  #pieceBytes = 0;

  /** `stream` is what the client's bytes are written to (TLS or not), `tcp` the socket below, which alone can be reset. */
  constructor(tcp: Socket, stream: Duplex) {
    this.#tcp = tcp;
    this.#stream = stream;
    tcp.setNoDelay(true);
  }

  /** Aborts once the connection is closed, by the client or because the server stops: scripts end then. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  splitInto(pieceBytes: number): void {
    this.#pieceBytes = pieceBytes;
  }

  /** Resolves to the number of bytes that the kernel has taken: all, or fewer if the connection is closed. */
  async write(bytes: Buffer): Promise<number> {
    if (this.#pieceBytes === 0) return this.#flush(bytes);
    let sent = 0;
    for (let from = 0; from < bytes.length && !this.closed.aborted; from += this.#pieceBytes) {
      sent += await this.#flush(bytes.subarray(from, from + this.#pieceBytes));
      // Lets the client, often in this same process, read each piece by itself.
      await tick();
    }
    return sent;
  }

  fin(): void {
    this.#stream.end();
  }

  /** RST instead of FIN. A TLS socket has no reset of its own, so the TCP socket below it is reset. */
  reset(): void {
    this.#closed.abort();
    this.#tcp.resetAndDestroy();
    this.#stream.destroy();
  }

  /** Closes without another byte: pending writes fail, and the script ends. */
  destroy(): void {
    this.#closed.abort();
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
