/** A TCP proxy in front of a gateway that cuts what a test tells it to, as a bad network does. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** Every connection taken so far. */
  readonly connections: number;
  /** Resets every connection that is open now. Those to come are taken. */
  cut(): void;
  /** The next connection is reset with the first byte of an answer, on both sides: the request has arrived, its answer has not. */
  dropNextAnswer(): void;
}

export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let connections = 0;
  let drops = 0;
  const server = createServer((client) => {
    connections += 1;
    const isDropped = drops > 0;
    if (isDropped) drops -= 1;
    const upstream = connect(Number(port), hostname);
    open.add(client);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => {});
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
    client.pipe(upstream);
    if (isDropped) {
      upstream.once('data', () => {
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      });
    } else upstream.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return connections;
    },
    cut() {
      for (const socket of open) socket.resetAndDestroy();
    },
    dropNextAnswer() {
      drops += 1;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
