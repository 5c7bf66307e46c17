/**
 * A process between `dev` and Temporal's dev server, so that the server never outlives `dev`, not even its kill -9:
 * the watchdog's stdin is a pipe whose other end only `dev` holds. When that pipe ends, the server is stopped.
 * The watchdog has a session of its own: a terminal's Ctrl-C reaches `dev` alone, which drains before the server goes.
 *
 * Arguments: lock file or '', the server's program, its arguments. The server's output is the watchdog's stderr.
 * Writes one JSON line to stdout, `{"pid": …}` of the server. Ends when the server has, with the same exit code.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { takeLock } from './exclusive-lock.ts';

const stopLimitMs = 5_000;
const lockLimitMs = 15_000;
const lockRetryMs = 50;

const [lockPath, program, ...args] = process.argv.slice(2);
if (lockPath === undefined || program === undefined) throw new Error('usage: watchdog LOCK PROGRAM ARGUMENTS');

let isAbandoned = false;
const abandoned = new Promise<void>((resolve) => {
  process.stdin.resume().once('close', () => {
    isAbandoned = true;
    resolve();
  });
  // A reset is an end too.
  process.stdin.on('error', () => {});
});
// Not sent by `dev`, but such as by a system that goes down: the server is stopped then too.
let onSignal = (): void => process.exit(0);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => onSignal());

// A server of the last run may still be stopping: two on one database file would ruin it.
if (lockPath !== '') await waitForLock(lockPath);
if (isAbandoned) process.exit(0);

const server = spawn(program, args, { stdio: ['ignore', 2, 2] });
server.once('error', (error) => {
  process.stderr.write(`turnkeep: ${error.message}\n`);
  process.exit(1);
});
server.once('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
// `dev` may be gone already, and the line with it.
process.stdout.on('error', () => {});
process.stdout.write(`${JSON.stringify({ pid: server.pid })}\n`);

onSignal = () => {
  server.kill('SIGTERM');
  setTimeout(() => server.kill('SIGKILL'), stopLimitMs);
};
await abandoned;
onSignal();

async function waitForLock(path: string): Promise<void> {
  const startedAt = performance.now();
  while (takeLock(path) === undefined) {
    if (isAbandoned) process.exit(0);
    if (performance.now() - startedAt > lockLimitMs) {
      process.stderr.write(`turnkeep: another Temporal server still holds ${path}\n`);
      process.exit(1);
    }
    await sleep(lockRetryMs);
  }
}
