/**
 * What a start of `turnkeep dev` costs: the time to /readyz, and what the process has in memory then and 5 s later. A first
 * start fills the caches; the table is of those behind it. It asserts nothing.
 *
 *     node bench/start.ts [STARTS] [PROGRAM]      5 of bin/turnkeep.js by default
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePorts } from '../src/cli/dev-server/ports.ts';
import { othersShare, say } from './support/report.ts';

const [starts = '5', program = 'bin/turnkeep.js'] = process.argv.slice(2);
const root = join(import.meta.dirname, '..');
const askEveryMs = 10;
const settledAfterMs = 5_000;

/** Of Linux. */
function residentMb(pid: number): number {
  const [, kB] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kB) / 1024);
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/readyz`).catch(() => undefined);
  await answer?.text();
  return answer?.ok === true;
}

async function start(dataDir: string): Promise<string> {
  const [port = 0] = await freePorts([undefined]);
  const startedAt = performance.now();
  const child = spawn(process.execPath, [program, 'dev', '--data-dir', dataDir, '--port', String(port)], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit');
  while (!(await isReady(`http://127.0.0.1:${port}`))) {
    if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
    await pause(askEveryMs);
  }
  const readyMs = Math.round(performance.now() - startedAt);
  const { pid = 0 } = child;
  const then = residentMb(pid);
  await pause(settledAfterMs);
  const settled = residentMb(pid);
  child.kill('SIGTERM');
  await ended;
  return `${readyMs} ms; ${then} MB, then ${settled} MB`;
}

const dataDir = mkdtempSync(join(tmpdir(), 'turnkeep-start-'));
for (let i = 0; i <= Number(starts); i++) {
  const others = (await othersShare()).toFixed(0);
  say(`${i === 0 ? 'first' : 'again'}: ${await start(dataDir)} (others use ${others} % of the machine)`);
}
rmSync(dataDir, { recursive: true, force: true });
