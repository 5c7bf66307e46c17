/**
 * One Postgres for all the tests of a process: on a socket in a folder of its own, gone when the process is. With
 * TURNKEEP_TEST_POSTGRES_URL, the address of a database of a superuser, that server is used instead, so that a runner may start one
 * for all files.
 */
import { randomUUID } from 'node:crypto';
import { execFile, type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { needPostgres, postgresFolder } from './programs.ts';

const run = promisify(execFile);

export interface PostgresServer {
  /** The folder of its socket. */
  readonly folder: string;
  /** Of a database of a superuser. */
  readonly url: string;
  /** As a crash: none of its processes gets a chance to do anything more. */
  kill(): Promise<void>;
  /** What it does after a crash, too: it starts on the same data. */
  start(): Promise<void>;
  /** Orderly, whoever is connected. */
  stop(): Promise<void>;
  /** All its processes stand still, until `resume`. */
  freeze(): void;
  resume(): void;
  /** Stops it, and deletes its folder. */
  [Symbol.asyncDispose](): Promise<void>;
  /** Lets this process end while the server runs, which ends then. */
  unref(): void;
}

/** A server that the test may do anything to. @param settings as in `postgresql.conf` */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const programs = await postgresFolder();
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-postgres-'));
  const owner = await serverUser();
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  await run(join(programs, 'initdb'), ['-D', data, '-U', 'turnkeep', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], { ...owner });
  const url = `postgres://turnkeep@localhost/postgres?host=${encodeURIComponent(folder)}`;
  const all = { listen_addresses: '', unix_socket_directories: folder, max_connections: '200', ...settings };
  const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const logPath = join(folder, 'server.log');

  let guard: ChildProcess | undefined;
  let pid = 0;
  const ended = async (): Promise<void> => {
    if (guard?.exitCode === null && guard.signalCode === null) await once(guard, 'exit');
    guard?.stdin?.destroy();
    guard = undefined;
  };
  const start = async (): Promise<void> => {
    const log = openSync(logPath, 'a');
    guard = spawn('/bin/sh', ['-c', guarded, 'sh', join(programs, 'postgres'), '-D', data, ...options], {
      ...owner,
      cwd: folder,
      stdio: ['pipe', 'pipe', log],
    });
    closeSync(log);
    const [line] = await once(guard.stdout ?? guard, 'data');
    pid = Number(String(line));
    await untilReady(url, guard, logPath);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (guard === undefined) return;
    process.kill(pid, signal);
    // One that stands still hears of nothing.
    signalAll('SIGCONT');
    await ended();
  };
  const signalAll = (signal: NodeJS.Signals): void => {
    for (const each of [pid, ...childrenOf(pid)]) {
      try {
        process.kill(each, signal);
      } catch {
        // It has ended by itself.
      }
    }
  };
  await start();

  return {
    folder,
    url,
    start,
    stop: async () => end('SIGINT'),
    kill: async () => {
      // One that it starts while they are counted would live on, and hold its memory.
      signalAll('SIGSTOP');
      signalAll('SIGKILL');
      await ended();
    },
    freeze: () => {
      signalAll('SIGSTOP');
    },
    resume: () => {
      signalAll('SIGCONT');
    },
    [Symbol.asyncDispose]: async () => {
      await end('SIGQUIT');
      rmSync(folder, { recursive: true, force: true });
    },
    unref: () => {
      guard?.unref();
      for (const pipe of [guard?.stdin, guard?.stdout]) if (pipe instanceof Socket) pipe.unref();
      // Not by a hook of node:test, which would belong to the one test that happened to come first.
      process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    },
  };
}

/** Prints the server's id, and ends it when whoever started it is gone, kill -9 included. It ends with the server. */
const guarded = `exec 3<&0
"$@" </dev/null >&2 3<&- & pid=$!
echo $pid
(read -r line <&3; kill -QUIT $pid 2>/dev/null) >/dev/null & watcher=$!
exec 3<&-
wait $pid
kill $watcher 2>/dev/null
wait $watcher 2>/dev/null`;

/** Postgres refuses to run as root. */
export async function serverUser(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all(['-u', '-g'].map(async (what) => Number((await run('id', [what, name])).stdout)));
      if (uid !== undefined && gid !== undefined) return { uid, gid };
    } catch {
      // There is no such user.
    }
  }
  throw new Error('Postgres does not run as root, and there is neither a user postgres nor nobody');
}

async function untilReady(url: string, guard: ChildProcess, logPath: string): Promise<void> {
  for (;;) {
    const client = new pg.Client(url);
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (guard.exitCode !== null) throw new Error(`Postgres does not start:\n${readFileSync(logPath, 'utf8')}`, { cause: error });
      await pause(20);
    }
  }
}

function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path) ? readFileSync(path, 'utf8').split(' ').filter(Boolean).map(Number) : [];
}

// Databases --------------------------------------------------------------------------------------------

export interface TestDatabase {
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

let shared: Promise<string> | undefined;

/** The address of a superuser's database on the server that all share. The first call starts it; nobody has to stop it. */
export async function sharedPostgres(): Promise<string> {
  return (shared ??= startShared());
}

async function startShared(): Promise<string> {
  const given = process.env['TURNKEEP_TEST_POSTGRES_URL'];
  if (given) return given;
  const server = await startPostgres();
  server.unref();
  return server.url;
}

/** An empty database with today's tables, gone after the test. undefined: the test has been skipped, since there is no Postgres. */
export async function needDatabase(t: TestContext): Promise<string | undefined> {
  if (!process.env['TURNKEEP_TEST_POSTGRES_URL'] && (await needPostgres(t)) === undefined) return undefined;
  const database = await createDatabase();
  t.after(async () => database[Symbol.asyncDispose]());
  return database.url;
}

/** How many wait for a lock in the database of this connection: others of the server wait for locks of their own. */
export async function lockWaits(client: Pick<pg.Client, 'query'>): Promise<number> {
  const { rows } = await client.query(`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`);
  return rows.length;
}

/** @param isMigrated false: it has nothing in it */
export async function createDatabase({ isMigrated = true } = {}): Promise<TestDatabase> {
  const server = await sharedPostgres();
  const template = isMigrated ? await templateOn(server) : 'template0';
  const name = `test_${process.pid}_${(databases += 1)}`;
  await ask(server, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = urlOf(server, name);
  // A copy has the id of what it was copied from, and these are different databases.
  if (isMigrated) await ask(url, `UPDATE meta SET value = '${randomUUID()}' WHERE name = 'database'`);
  return {
    url,
    [Symbol.asyncDispose]: async () => ask(server, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

let databases = 0;
let template: Promise<string> | undefined;

async function templateOn(server: string): Promise<string> {
  template ??= (async () => {
    const name = 'turnkeep_migrated';
    const client = new pg.Client(server);
    await client.connect();
    try {
      // Several test files may be the first.
      await client.query(`SELECT pg_advisory_lock(hashtext('${name}'))`);
      const { rowCount } = await client.query(`SELECT 1 FROM pg_database WHERE datname = '${name}'`);
      if (rowCount === 0) {
        await client.query(`CREATE DATABASE ${name}_unfinished TEMPLATE template0`);
        await migrate({ url: urlOf(server, `${name}_unfinished`) });
        await client.query(`ALTER DATABASE ${name}_unfinished RENAME TO ${name}`);
      }
      return name;
    } finally {
      await client.end();
    }
  })();
  return template;
}

async function ask(server: string, sql: string): Promise<void> {
  const client = new pg.Client(server);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function urlOf(server: string, database: string): string {
  return server.replace(/\/[^/?]*(\?|$)/, `/${database}$1`);
}
