/** Started by npm: whatever ends npm ends `dev`, its watchdog and Temporal's server, and frees the data dir. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { takeLock } from '../../src/cli/dev-server/exclusive-lock.ts';
import { ownScript } from '../../src/cli/launcher.ts';
import { testCache, testTemporalProgram } from '../support/temporal-server.ts';
import { folderOf } from './folder.ts';

const root = join(import.meta.dirname, '../..');
const cli = await testTemporalProgram();

interface Running {
  readonly pid: number;
  readonly parent: number;
}

/** Without zombies: an orphan's new parent may not care for it. */
function processes(): readonly Running[] {
  return execFileSync('ps', ['-eo', 'pid=,ppid=,stat='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/ +/))
    .flatMap(([pid, parent, state = 'Z']) => (state.startsWith('Z') ? [] : [{ pid: Number(pid), parent: Number(parent) }]));
}

/** The process itself and all below it. */
function familyOf(pid: number, all = processes()): readonly number[] {
  return [pid, ...all.filter(({ parent }) => parent === pid).flatMap((child) => familyOf(child.pid, all))];
}

async function untilGone(pids: readonly number[]): Promise<void> {
  while (processes().some(({ pid }) => pids.includes(pid))) await pause(50);
}

const signals = ['SIGTERM', 'SIGKILL'] as const;
// Only /proc shows the npm behind a shell that was not told anything.
for (const signal of existsSync('/proc/self/environ') ? signals : signals.slice(0, 1)) {
  test(`npm start that is ended by ${signal} leaves no process behind, and frees the data dir`, async (context) => {
    const dataDir = folderOf(context);
    const npm = spawn('npm', ['start', '--', '--port', '0', '--data-dir', dataDir], {
      cwd: root,
      env: { PATH: process.env['PATH'], HOME: dataDir, ...testCache, TEMPORAL_CLI: cli },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const output = createInterface({ input: npm.stdout }).on('line', (line) => {
      lines.push(line);
      if (line === 'Ctrl-C stops it.') resolve();
    });
    // npm, its shell and `dev` all write there.
    const allClosed = once(output, 'close');
    await Promise.race([ready, allClosed]);
    assert.ok(npm.pid !== undefined);
    const family = familyOf(npm.pid);
    context.after(() => {
      const left = new Set(processes().map(({ pid }) => pid));
      for (const pid of family) if (left.has(pid)) process.kill(pid, 'SIGKILL');
    });
    const { pid }: { pid: number } = JSON.parse(readFileSync(join(dataDir, 'dev.json'), 'utf8'));
    assert.ok(family.includes(pid), lines.join('\n'));
    assert.ok(family.length >= 4, 'npm, dev, the watchdog and the server');

    npm.kill(signal);
    await Promise.all([allClosed, untilGone(family)]);
    for (const name of ['dev.lock', 'temporal.db.lock']) {
      const lock = takeLock(join(dataDir, name));
      assert.ok(lock, `${name} is free`);
      lock.release();
    }
    assert.match(lines.at(-1) ?? '', /^Stopping/, 'it drained');
  });
}

const cases: readonly (readonly [name: string, program: string, env: NodeJS.ProcessEnv, isWatched: boolean])[] = [
  ['npm start', '/app/bin/turnkeep.js', { npm_lifecycle_script: 'node bin/turnkeep.js dev' }, true],
  ['npx turnkeep', '/app/node_modules/.bin/turnkeep', { npm_lifecycle_script: 'turnkeep' }, true],
  ['a script that prepares', '/app/node_modules/.bin/turnkeep', { npm_lifecycle_script: 'node build.js 2>&1 && turnkeep dev' }, true],
  ['a shell, systemd or a container', '/app/bin/turnkeep.js', {}, false],
  ['a shell in what npm started', '/app/src/cli/main.ts', { npm_lifecycle_script: 'code .' }, false],
  ['a script with &', '/app/src/cli/main.ts', { npm_lifecycle_script: 'node src/cli/main.ts dev > log 2>&1 &' }, false],
  ['a script with nohup', '/app/src/cli/main.ts', { npm_lifecycle_script: 'nohup node src/cli/main.ts dev' }, false],
  ['a script with setsid', '/app/src/cli/main.ts', { npm_lifecycle_script: 'setsid node src/cli/main.ts dev' }, false],
];
for (const [name, program, env, isWatched] of cases) {
  test(`started by ${name}, it ${isWatched ? 'ends with' : 'outlives'} what started it`, () => {
    assert.equal(ownScript({ env, program }) !== undefined, isWatched);
  });
}
