/** Free ports on the loopback address. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

const ip = '127.0.0.1';

/** The preferred ports where they are free, else any. All are held at once, so that none is given twice. */
export async function freePorts(preferred: readonly (number | undefined)[]): Promise<number[]> {
  const held: Server[] = [];
  try {
    const ports: number[] = [];
    for (const port of preferred) {
      const server = (port === undefined ? undefined : await hold(port)) ?? (await hold(0));
      if (server === undefined) throw new Error(`no free port on ${ip}`);
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
    await once(server.listen(port, ip), 'listening');
    return server;
  } catch {
    return undefined;
  }
}
