/** One run of Temporal's dev server, as a child of the watchdog, which is a child of this process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { probeNamespace } from './probe.ts';
import { type ServerArguments, serverArguments } from './server-arguments.ts';

export interface LaunchOptions extends ServerArguments {
  readonly program: string;
  /** What the server prints goes here. */
  readonly logPath: string;
  /** Called when its process runs, long before it serves anything. */
  readonly onSpawned?: () => void;
  readonly signal?: AbortSignal;
}

export interface Launched {
  readonly pid: number;
  /** Resolves when the server has ended, by itself or not. */
  readonly ended: Promise<void>;
  /** Why it ended. */
  reason(): string;
  /** Ends the pipe: the watchdog stops the server and then ends itself. */
  release(): void;
  unref(): void;
}

/** The server does not start; the message has the end of its log. */
export class DevServerError extends Error {
  override readonly name = 'DevServerError';
}

/** Whether somebody took one of its ports between the look for a free one and its own start. */
export function isPortTaken(error: unknown): boolean {
  return error instanceof DevServerError && error.message.includes('address already in use');
}

const readyLimitMs = 60_000;
const probeEveryMs = 20;

/**
 * Resolves when the server serves its namespace.
 * @throws {DevServerError} when it does not start
 */
export async function launch({ program, logPath, onSpawned, signal, ...server }: LaunchOptions): Promise<Launched> {
  const { ip, port, namespace, databasePath } = server;
  signal?.throwIfAborted();
  const log = openSync(logPath, 'w');
  // Beside this file, and of the same kind: .ts in a checkout, .js when built.
  const script = fileURLToPath(import.meta.url).replace(/launch(\.[jt]s)$/, 'watchdog$1');
  const lockPath = databasePath === undefined ? '' : `${databasePath}.lock`;
  const watchdog = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script, lockPath, program, ...serverArguments(server)],
    { detached: true, stdio: ['pipe', 'pipe', log] },
  );
  closeSync(log);
  onSpawned?.();
  const { stdin, stdout } = watchdog;
  if (stdin === null || stdout === null) throw new Error('both are pipes');
  // The watchdog may be gone already when the pipe is ended.
  stdin.on('error', () => {});
  const ended = once(watchdog, 'close').then(() => {
    // A watchdog that was killed leaves the server as an orphan that holds our ports and database.
    if (watchdog.signalCode !== null && pid !== undefined) killQuietly(pid);
  });
  let pid: number | undefined;
  stdout.setEncoding('utf8').once('data', (line: string) => {
    const message: unknown = JSON.parse(line);
    if (typeof message === 'object' && message !== null && 'pid' in message && typeof message.pid === 'number') pid = message.pid;
  });

  const unref = () => {
    watchdog.unref();
    for (const pipe of [stdin, stdout]) if (pipe instanceof Socket) pipe.unref();
  };

  const startedAt = performance.now();
  try {
    for (;;) {
      const problem = pid === undefined ? 'it has not started' : await probeNamespace(`${ip}:${port}`, namespace);
      if (problem === undefined) break;
      if (watchdog.exitCode !== null || watchdog.signalCode !== null)
        throw new DevServerError(`Temporal's dev server (${program}) did not start: ${endOf(watchdog)}${endOfLog(logPath)}`);
      if (performance.now() - startedAt > readyLimitMs)
        throw new DevServerError(
          `Temporal's dev server (${program}) is not ready after ${readyLimitMs / 1000} s: ${problem}${endOfLog(logPath)}`,
        );
      await sleep(probeEveryMs, undefined, signal ? { signal } : {});
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

function endOfLog(logPath: string): string {
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
