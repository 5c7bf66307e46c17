/** Stands between a client and Postgres: holds back what one of them says, and cuts their connections. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';

export class Proxy implements AsyncDisposable {
  /** What is said meanwhile is lost with the connection. */
  holds: 'nothing' | 'requests' | 'answers' = 'nothing';
  /** Connections that were opened, so far. */
  connections = 0;
  heldBytes = 0;
  /** The server reports errors in German, as far as `pg` reads their severity. */
  isTranslating = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
    const { host, port } = new pg.Client(url);
    this.#server = createServer((client) => {
      this.connections += 1;
      const server = host.startsWith('/') ? connect(join(host, `.s.PGSQL.${port}`)) : connect(port, host);
      for (const [from, to, what] of [
        [client, server, 'requests'],
        [server, client, 'answers'],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (bytes) => {
          if (this.holds !== what) to.write(this.isTranslating ? translated(bytes) : bytes);
          else this.heldBytes += bytes.length;
        });
        from.on('error', () => undefined);
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  /** @param url of the database that it leads to */
  static async start(url: string): Promise<Proxy> {
    const proxy = new Proxy(url);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    const { user, database } = new pg.Client(this.#url);
    return `postgres://${user}@127.0.0.1:${address.port}/${database}`;
  }

  /** All connections, by a reset; new ones pass everything on. */
  cut(): void {
    this.holds = 'nothing';
    // Sockets of a file know no reset.
    for (const socket of this.#sockets) {
      if (socket.remoteAddress === undefined) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** The severity is in an error twice: as it is shown to people, and as it is. Of the same length, so that the message stays one. */
function translated(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll('SERROR\0VERROR\0', 'SFEHLR\0VERROR\0'), 'latin1');
}
