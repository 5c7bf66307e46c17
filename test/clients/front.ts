/**
 * A port that stays while turnkeep is started again behind it, as a load balancer's does: whoever comes meanwhile waits.
 * So how soon a client tries again, and how long a start takes, decide nothing.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Front {
  readonly url: string;
  /** Where new connections go; those that wait, too. undefined: nowhere yet. */
  leadTo(url: string | undefined): void;
  close(): Promise<void>;
}

export async function startFront(): Promise<Front> {
  const open = new Set<Socket>();
  const waiting = new Set<Socket>();
  let target: string | undefined;

  function pass(client: Socket, to: string): void {
    const server = connect(Number(new URL(to).port), '127.0.0.1');
    open.add(server);
    server.on('error', () => client.destroy());
    server.on('close', () => open.delete(server));
    client.on('close', () => server.destroy());
    client.pipe(server);
    server.pipe(client);
  }

  const listener = createServer((client) => {
    open.add(client);
    client.on('error', () => undefined);
    client.on('close', () => {
      open.delete(client);
      waiting.delete(client);
    });
    if (target === undefined) waiting.add(client);
    else pass(client, target);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    leadTo(url) {
      target = url;
      if (url === undefined) return;
      for (const client of waiting) pass(client, url);
      waiting.clear();
    },
    async close() {
      const closed = once(listener, 'close');
      listener.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
