/** A Postgres server of the test's own, to be killed and started again. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { until } from '../../support/until.ts';

const bin = process.env['PGBIN'] ?? '/usr/lib/postgresql/15/bin';
const isRoot = process.getuid?.() === 0;
const user = isRoot ? { uid: Number(execFileSync('id', ['-u', 'postgres'])), gid: Number(execFileSync('id', ['-g', 'postgres'])) } : {};

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGINT');
});

export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  static async start(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'turnkeep-postgres-'));
    if (isRoot) chownSync(folder, user.uid ?? 0, user.gid ?? 0);
    execFileSync(
      join(bin, 'initdb'),
      ['-D', join(folder, 'data'), '-U', 'turnkeep', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8'],
      {
        ...user,
        cwd: folder,
        stdio: 'ignore',
      },
    );
    const server = new PostgresServer(folder, await freePort());
    await server.start();
    return server;
  }

  get url(): string {
    return `postgres://turnkeep@127.0.0.1:${this.port}/postgres`;
  }

  async start(): Promise<void> {
    const args = [
      '-D',
      join(this.#folder, 'data'),
      '-p',
      String(this.port),
      '-h',
      '127.0.0.1',
      '-k',
      this.#folder,
      '-c',
      'shared_preload_libraries=pg_stat_statements',
    ];
    this.#child = spawn(join(bin, 'postgres'), args, { ...user, cwd: this.#folder, stdio: 'ignore' });
    running.add(this.#child);
    await until(async () => {
      const client = new pg.Client(this.url);
      client.on('error', () => undefined);
      try {
        await client.connect();
        return true;
      } catch {
        return false;
      } finally {
        await client.end();
      }
    });
  }

  /** SIGKILL to all of its processes: those of its connections would go on for a moment without it. */
  async kill(): Promise<void> {
    this.signal('SIGSTOP');
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(this.#child?.pid)], { encoding: 'utf8' });
    for (const pid of children.trim().split(/\s+/)) process.kill(Number(pid), 'SIGKILL');
    await this.#end('SIGKILL');
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGINT');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    running.delete(child);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}
