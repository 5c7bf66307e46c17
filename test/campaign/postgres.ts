/** A Postgres of a campaign's own: all that is said to it goes through links, which lead to its socket. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres } from '../support/postgres-server.ts';
import type { Database } from './cluster.ts';
import type { Disturbable } from './process.ts';

const restartAfterMs = 200;
const mostTries = 100;

export async function postgresDatabase(): Promise<Database> {
  const server = await startPostgres();
  let isUp = true;
  const disturbed = async (work: () => Promise<void>): Promise<void> => {
    isUp = false;
    await work();
    isUp = true;
  };
  const again = async (end: () => Promise<void>): Promise<void> =>
    disturbed(async () => {
      await end();
      for (let tries = 1; ; tries += 1) {
        await sleep(restartAfterMs);
        try {
          await server.start();
          return;
        } catch (error) {
          // Those of its processes that are on their way out hold the memory of the last server.
          if (tries === mostTries) throw error;
        }
      }
    });
  const process: Disturbable = {
    name: 'postgres',
    kind: 'postgres',
    pid: undefined,
    get isUp() {
      return isUp;
    },
    kill: () => again(() => server.kill()),
    leave: () => again(() => server.stop()),
    stop: (forMs) =>
      disturbed(async () => {
        server.freeze();
        await sleep(forMs);
        server.resume();
      }),
  };
  return {
    env: (port) => ({ DATABASE_URL: `postgres://turnkeep@127.0.0.1:${port}/postgres` }),
    server: { address: join(server.folder, '.s.PGSQL.5432'), process },
    logs: [join(server.folder, 'server.log')],
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
