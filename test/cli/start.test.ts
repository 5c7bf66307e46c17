/** On the real server. A FIFO in place of its log tells by its end that the server and its watchdog are both gone. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { takeLock } from '../../src/cli/dev-server/exclusive-lock.ts';
import { freePorts } from '../../src/cli/dev-server/ports.ts';
import { probeNamespace } from '../../src/cli/dev-server/probe.ts';
import { startDevServer, type DevServerOptions } from '../../src/cli/dev-server/start.ts';
import { testTemporalProgram } from '../support/temporal-server.ts';
import { within } from '../support/within.ts';
import { folderOf } from './folder.ts';

const program = await testTemporalProgram();
const startModule = new URL('../../src/cli/dev-server/start.ts', import.meta.url).href;

/** A zombie counts as gone: an orphan's new parent may not care for it. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

async function start(context: TestContext, options: Partial<DevServerOptions> = {}) {
  const server = await startDevServer({ program, namespace: 'default', hasUi: false, logPath: join(folderOf(context), 'log'), ...options });
  context.after(() => server.stop());
  return server;
}

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
  test(`a parent ended by ${signal} leaves neither server nor watchdog, and frees the database`, async (context) => {
    const folder = folderOf(context);
    const logPath = join(folder, 'log');
    const databasePath = join(folder, 'temporal.db');
    execFileSync('mkfifo', [logPath]);
    const running = new AbortController();
    // One whose port is taken while it starts ends, and another one is started.
    const untilGone = async (): Promise<void> => {
      await readFile(logPath);
      if (!running.signal.aborted) await untilGone();
    };
    const allGone = untilGone();
    const script = `
      const { startDevServer } = await import(process.argv[1]);
      const server = await startDevServer({ ...JSON.parse(process.argv[2]), namespace: 'default' });
      console.log(server.pid);`;
    const parent = spawn(
      process.execPath,
      ['--input-type=module', '-e', script, startModule, JSON.stringify({ program, logPath, databasePath })],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const hasEnded = once(parent, 'exit').then(([code]: unknown[]) => assert.fail(`it ended with ${String(code)} before its server ran`));
    const [line] = (await Promise.race([once(parent.stdout, 'data'), hasEnded])) as unknown[];
    hasEnded.catch(() => undefined);
    running.abort();
    const pid = Number(String(line));
    assert.ok(isAlive(pid));
    assert.equal(takeLock(`${databasePath}.lock`), undefined, 'no second server may open the database');

    parent.kill(signal);
    await within('the server and its watchdog to be gone', allGone, () =>
      execFileSync('ps', ['-eo', 'pid,ppid,stat,args'], { encoding: 'utf8' }),
    );
    assert.ok(!isAlive(pid));
    const lock = takeLock(`${databasePath}.lock`);
    assert.ok(lock);
    lock.release();
  });
}

test('the server serves the namespace asked for, on preferred ports if they are free, and stop ends it', async (context) => {
  const startAt = async () => {
    const [port = 0, uiPort = 0] = await freePorts([undefined, undefined]);
    const server = await start(context, { namespace: 'mine', hasUi: true, preferredPorts: { port, uiPort } });
    return { server, isThere: server.address === `127.0.0.1:${port}` && server.uiUrl === `http://127.0.0.1:${uiPort}` };
  };
  let { server, isThere } = await startAt();
  // Somebody else may have taken one in between: hardly twice.
  if (!isThere) ({ server, isThere } = await startAt());
  assert.ok(isThere, `${server.address}, ${server.uiUrl}`);
  assert.equal(await probeNamespace(server.address, 'mine'), undefined);
  assert.match((await probeNamespace(server.address, 'yours')) ?? '', /not found/i);
  const { pid } = server;
  await server.stop();
  assert.ok(!isAlive(pid));
});

test('a preferred port that is taken is passed over', async (context) => {
  const other = createServer();
  context.after(() => other.close());
  await once(other.listen(0, '127.0.0.1'), 'listening');
  const address = other.address();
  assert.ok(typeof address === 'object' && address !== null);
  const [port, next] = await freePorts([address.port, undefined]);
  assert.notEqual(port, address.port);
  assert.notEqual(port, next);
});

test('a server whose port is taken while it starts is started on others', async (context) => {
  const folder = folderOf(context);
  const unlucky = join(folder, 'temporal');
  writeFileSync(
    unlucky,
    `#!/bin/sh
if mkdir '${folder}/met' 2>/dev/null; then echo 'listen tcp 127.0.0.1:1: bind: address already in use' >&2; exit 1; fi
exec '${program}' "$@"`,
    { mode: 0o755 },
  );
  const server = await start(context, { program: unlucky });
  assert.ok(existsSync(join(folder, 'met')));
  assert.equal(await probeNamespace(server.address, 'default'), undefined);
});

for (const victim of ['server', 'watchdog'] as const) {
  test(`when the ${victim} is killed, the server runs again on the same port with the same data`, async (context) => {
    const events: string[] = [];
    const { promise: again, resolve } = Promise.withResolvers<void>();
    const folder = folderOf(context);
    const server = await start(context, {
      namespace: 'kept',
      databasePath: join(folder, 'temporal.db'),
      onLost: ({ type, reason }) => {
        events.push(`${type} ${reason}`);
        if (type === 'again') resolve();
      },
    });
    const first = server.pid;
    const parentOf = (pid: number) => Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }));
    process.kill(victim === 'server' ? first : parentOf(first), 'SIGKILL');
    await again;
    assert.notEqual(server.pid, first);
    assert.ok(!isAlive(first), 'two servers on one database would ruin it');
    assert.equal(await probeNamespace(server.address, 'kept'), undefined);
    assert.equal(events.length, 2);
    assert.match(events[0] ?? '', victim === 'server' ? /^lost exit code 137, see / : /^lost ended by SIGKILL, see /);
  });
}

test('a server that cannot start is told with its last words', async (context) => {
  const logPath = join(folderOf(context), 'log');
  await assert.rejects(
    startDevServer({ program, namespace: 'default', hasUi: false, logPath, databasePath: '/nowhere/temporal.db' }),
    /unable to open database file|did not start/,
  );
  await assert.rejects(startDevServer({ program: '/bin/false', namespace: 'default', hasUi: false, logPath }), (error: Error) =>
    error.message.startsWith("Temporal's dev server (/bin/false) did not start: exit code 1"),
  );
});
