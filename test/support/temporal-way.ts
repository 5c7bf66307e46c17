/** Temporal servers that a test stops and starts, and ways to one, or to a gateway, that it closes and opens. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type DevServer, startDevServer } from '../../src/cli/dev-server/start.ts';
import { testTemporalProgram } from './temporal-server.ts';

/** A server of the test's own. */
export async function serverOf(context: TestContext, folder: string): Promise<DevServer> {
  const server = await startDevServer({
    program: await testTemporalProgram(),
    namespace: 'default',
    hasUi: false,
    databasePath: join(folder, 'temporal.db'),
    logPath: join(folder, 'log'),
  });
  context.after(() => server.stop());
  return server;
}

/** A way to a server that keeps its address when the server is another one, and is open when the test says so. */
export interface Way {
  readonly address: string;
  leadTo(server: Pick<DevServer, 'port'>): void;
  close(): void;
}

/** Closed, and closed again after the test. */
export async function wayOf(context: TestContext): Promise<Way> {
  let port: number | undefined;
  const sockets = new Set<Socket>();
  const close = (): void => {
    port = undefined;
    for (const socket of sockets) socket.destroy();
  };
  const entrance = createServer((client) => {
    if (port === undefined) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  entrance.listen(0, '127.0.0.1');
  await once(entrance, 'listening');
  context.after(() => {
    close();
    entrance.close();
  });
  const { port: ownPort } = entrance.address() as AddressInfo;
  return {
    address: `127.0.0.1:${ownPort}`,
    close,
    leadTo(server) {
      port = server.port;
    },
  };
}
