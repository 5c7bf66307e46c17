/** Stands between a client and the socket of a Postgres, and does to a COMMIT what a network can do. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * lost: it does not arrive. unanswered: it is done, and the answer is lost. late: it arrives when the client's connection is gone, by
 * `deliver`.
 */
export type Fate = 'lost' | 'unanswered' | 'late';

export interface CutProxy {
  /** The address of the server through it. */
  readonly url: string;
  /** Of the next COMMIT; those after it pass. */
  cutNext(fate: Fate): void;
  /** What came late arrives now. Resolves with what the server says to it. */
  deliver(): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

const socketName = '.s.PGSQL.5432';

/** @param serverUrl of a server on a Unix socket */
export async function startCutProxy(serverUrl: string): Promise<CutProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-cut-'));
  const serverFolder = new URLSearchParams(serverUrl.split('?')[1]).get('host');
  if (serverFolder === null) throw new Error('the server has no Unix socket');
  const sockets = new Set<Socket>();
  let next: Fate | undefined;
  let late: { readonly server: Socket; readonly bytes: Buffer } | undefined;

  const proxy = createServer((client) => {
    const server = connect(join(serverFolder, socketName));
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    let isAnswerLost = false;
    let isHeld = false;
    client.on('data', (bytes) => {
      const fate = bytes.includes('; COMMIT\0') ? next : undefined;
      if (fate === undefined) {
        server.write(bytes);
        return;
      }
      next = undefined;
      isAnswerLost = true;
      if (fate === 'unanswered') {
        server.write(bytes);
        return;
      }
      if (fate === 'late') {
        isHeld = true;
        late = { server, bytes };
      } else server.destroy();
      client.destroy();
    });
    server.on('data', (bytes) => {
      if (!isAnswerLost) client.write(bytes);
      else client.destroy();
    });
    client.on('close', () => {
      if (!isHeld) server.destroy();
    });
    server.on('close', () => client.destroy());
  });
  proxy.listen(join(folder, socketName));
  await once(proxy, 'listening');

  return {
    url: serverUrl.replace(encodeURIComponent(serverFolder), encodeURIComponent(folder)),
    cutNext: (fate) => {
      next = fate;
    },
    deliver: async () => {
      if (late === undefined) throw new Error('nothing came late');
      const answer = once(late.server, 'data');
      late.server.write(late.bytes);
      const [bytes] = (await answer) as [Buffer];
      late.server.destroy();
      return bytes.toString('latin1');
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
