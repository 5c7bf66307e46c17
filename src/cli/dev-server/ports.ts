/** Free ports on the loopback address. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

const IP = '127.0.0.1';

/**
 * One free port for each wish: the wished one if it is free, else any.
 * All are held at once, so that none is given twice.
 */
export async function freePorts(wishes: readonly (number | undefined)[]): Promise<number[]> {
  const held: Server[] = [];
  try {
    const ports: number[] = [];
    for (const wish of wishes) {
      const server = (wish === undefined ? undefined : await hold(wish)) ?? (await hold(0));
      if (server === undefined) throw new Error(`no free port on ${IP}`);
      held.push(server);
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
      ports.push(address.port);
    }
    return ports;
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

async function hold(port: number): Promise<Server | undefined> {
  const server = createServer();
  try {
    await once(server.listen(port, IP), 'listening');
    return server;
  } catch {
    return undefined;
  }
}
