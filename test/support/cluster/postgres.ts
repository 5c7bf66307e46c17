/** Postgres as `docker-compose.yml` has it: made by the image's way, with the same arguments and the same first script. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { postgresFolder } from '../programs.ts';
import type { ProcessPlan } from './process.ts';

const run = promisify(execFile);
const ip = '127.0.0.1';
const initScript = new URL('../../../deploy/postgres/init.sql', import.meta.url).pathname;

export interface PostgresOptions {
  /** Its data; made on the first start. */
  readonly folder: string;
  /** The container's. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly port: number;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

/** Whom Postgres runs as: it refuses root, which has the user `postgres` of Debian's package instead. Undefined for all others. */
export function postgresUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export async function makePostgres({
  folder,
  command,
  environment,
  port,
  user,
}: PostgresOptions): Promise<Omit<ProcessPlan, 'name' | 'cwd' | 'logPath'>> {
  // On the PATH there may be links to some of the programs only.
  const bin = dirname(realpathSync(join(await postgresFolder(), 'postgres')));
  const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', ...environment };
  const data = join(folder, 'data');
  const options = { env, cwd: folder, ...user };
  const at = ['--host', folder, '--port', String(port), '--username', 'postgres'];
  if (!existsSync(data)) {
    const given = (environment['POSTGRES_INITDB_ARGS'] ?? '').split(' ').filter((word) => !word.startsWith('--auth='));
    // By the socket only this user comes in, by TCP only who has the password.
    await run(
      join(bin, 'initdb'),
      ['--pgdata', data, '--username=postgres', '--auth-local=trust', '--auth-host=scram-sha-256', '--no-sync', ...given],
      options,
    );
    // As the image does it: a server on a socket alone, for the first script.
    const socketOnly = `-c listen_addresses= -c unix_socket_directories=${folder} -p ${port}`;
    await run(
      join(bin, 'pg_ctl'),
      ['start', '--pgdata', data, '--wait', '--log', join(folder, 'first.log'), '--options', socketOnly],
      options,
    );
    // By its standard input: the server's user need not be able to read this folder.
    const psql = run(join(bin, 'psql'), [...at, '--no-psqlrc', '--set', 'ON_ERROR_STOP=1', '--file', '-'], options);
    psql.child.stdin?.end(readFileSync(initScript));
    await psql;
    await run(join(bin, 'pg_ctl'), ['stop', '--pgdata', data, '--wait', '--mode', 'fast'], options);
  }
  const [, ...settings] = command;
  return {
    command: [
      join(bin, 'postgres'),
      '-D',
      data,
      '-p',
      String(port),
      '-c',
      `listen_addresses=${ip}`,
      '-c',
      `unix_socket_directories=${folder}`,
      ...settings,
    ],
    env,
    ...(user === undefined ? {} : { user }),
    stopSignal: 'SIGINT',
    // After a kill, what its processes shared may still be there for a moment.
    tries: 20,
    isReady: async () => {
      await run(join(bin, 'pg_isready'), ['--host', ip, '--port', String(port), '--username', 'turnkeep', '--dbname', 'turnkeep'], options);
      return true;
    },
  };
}
