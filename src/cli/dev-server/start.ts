/**
 * Temporal's dev server as a child that cannot outlive this process (see `watchdog.ts`), and that is started again
 * on the same ports when it dies by itself.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from './ports.ts';
import { probeNamespace } from './probe.ts';
import { serverArguments } from './server-arguments.ts';

export interface DevServerOptions {
  readonly program: string;
  readonly namespace: string;
  /** Unset: in memory, and no lock. */
  readonly databasePath?: string;
  /** What the server says goes here. */
  readonly logPath: string;
  /** Taken if they are free. */
  readonly wishedPorts?: { readonly port?: number; readonly uiPort?: number };
  /** Default true. */
  readonly hasUi?: boolean;
  /** It died by itself; `again` once it runs again. */
  readonly onLost?: (event: { readonly type: 'lost' | 'again'; readonly reason: string }) => void;
  readonly signal?: AbortSignal;
}

export interface DevServer {
  readonly address: string;
  readonly port: number;
  readonly uiPort?: number;
  readonly uiUrl?: string;
  /** Of the server itself; changes when it is started again. */
  readonly pid: number;
  /** Resolves when the server has ended. */
  stop(): Promise<void>;
  /** Lets this process end with the server running; the watchdog then stops it. */
  unref(): void;
}

const IP = '127.0.0.1';
const READY_LIMIT_MS = 60_000;
const PROBE_EVERY_MS = 20;
const BACKOFF_MS = [250, 1_000, 2_000, 5_000, 10_000];
/** A server that ran this long is not in a crash loop. */
const STABLE_AFTER_MS = 60_000;

/** @throws when the server does not start; the message has its last words */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const { wishedPorts = {}, hasUi = true, onLost = () => {} } = options;
  const [port = 0, uiPort] = await freePorts(hasUi ? [wishedPorts.port, wishedPorts.uiPort] : [wishedPorts.port]);
  const stopping = new AbortController();
  let current = await launch(options, port, uiPort, options.signal);
  const supervised = supervise();

  async function supervise(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const launchedAt = performance.now();
      await current.ended;
      if (stopping.signal.aborted) return;
      if (performance.now() - launchedAt > STABLE_AFTER_MS) failures = 0;
      onLost({ type: 'lost', reason: current.reason() });
      for (let isUp = false; !isUp && !stopping.signal.aborted; failures++) {
        try {
          await sleep(BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)], undefined, { signal: stopping.signal });
          current = await launch(options, port, uiPort, stopping.signal);
          isUp = true;
          onLost({ type: 'again', reason: '' });
        } catch (error) {
          if (!stopping.signal.aborted) onLost({ type: 'lost', reason: error instanceof Error ? error.message : String(error) });
        }
      }
    }
  }

  return {
    address: `${IP}:${port}`,
    port,
    ...(uiPort === undefined ? {} : { uiPort, uiUrl: `http://${IP}:${uiPort}` }),
    get pid() {
      return current.pid;
    },
    unref: () => current.unref(),
    async stop() {
      stopping.abort();
      current.release();
      await Promise.all([current.ended, supervised]);
    },
  };
}

interface Launched {
  readonly pid: number;
  readonly ended: Promise<void>;
  reason(): string;
  /** Ends the pipe: the watchdog stops the server and then ends itself. */
  release(): void;
  unref(): void;
}

async function launch(options: DevServerOptions, port: number, uiPort: number | undefined, signal?: AbortSignal): Promise<Launched> {
  const { program, namespace, databasePath, logPath } = options;
  signal?.throwIfAborted();
  const log = openSync(logPath, 'w');
  // Beside this file, and of the same kind: .ts in a checkout, .js when built.
  const script = fileURLToPath(import.meta.url).replace(/start(\.[jt]s)$/, 'watchdog$1');
  const args = serverArguments({
    ip: IP,
    port,
    namespace,
    ...(uiPort === undefined ? {} : { uiPort }),
    ...(databasePath === undefined ? {} : { databasePath }),
  });
  const watchdog = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script, databasePath === undefined ? '' : `${databasePath}.lock`, program, ...args],
    {
      detached: true,
      stdio: ['pipe', 'pipe', log],
    },
  );
  closeSync(log);
  const { stdin, stdout } = watchdog;
  if (stdin === null || stdout === null) throw new Error('both are pipes');
  // It may be gone already when the pipe is ended.
  stdin.on('error', () => {});
  const ended = once(watchdog, 'close').then(() => {
    // Should the watchdog itself have been killed, the server is an orphan that holds our ports and database.
    if (watchdog.signalCode !== null && pid !== undefined) killQuietly(pid);
  });
  let pid: number | undefined;
  stdout.setEncoding('utf8').once('data', (line: string) => {
    const told: unknown = JSON.parse(line);
    if (typeof told === 'object' && told !== null && 'pid' in told && typeof told.pid === 'number') pid = told.pid;
  });

  const unref = () => {
    watchdog.unref();
    for (const pipe of [stdin, stdout]) if (pipe instanceof Socket) pipe.unref();
  };

  const startedAt = performance.now();
  try {
    for (;;) {
      const fault = pid === undefined ? 'it has not started' : await probeNamespace(`${IP}:${port}`, namespace);
      if (fault === undefined) break;
      if (watchdog.exitCode !== null || watchdog.signalCode !== null)
        throw new Error(`Temporal's dev server (${program}) did not start: ${endOf(watchdog)}${lastWords(logPath)}`);
      if (performance.now() - startedAt > READY_LIMIT_MS)
        throw new Error(`Temporal's dev server (${program}) is not ready after ${READY_LIMIT_MS / 1000} s: ${fault}${lastWords(logPath)}`);
      await sleep(PROBE_EVERY_MS, undefined, signal ? { signal } : {});
    }
  } catch (error) {
    stdin.end();
    await ended;
    throw error;
  }
  if (pid === undefined) throw new Error('a server that answers has a pid');
  return { pid, ended, reason: () => `${endOf(watchdog)}, see ${logPath}`, release: () => void stdin.end(), unref };
}

function endOf(child: ChildProcess): string {
  return child.signalCode === null ? `exit code ${child.exitCode}` : `ended by ${child.signalCode}`;
}

function lastWords(logPath: string): string {
  const lines = readFileSync(logPath, 'utf8').trim().split('\n').slice(-5).join('\n  ');
  return lines === '' ? ` (nothing in ${logPath})` : `; ${logPath} ends with\n  ${lines}`;
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone.
  }
}
