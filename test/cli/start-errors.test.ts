/** What keeps a command from starting is one line that says the way out. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { explainListening } from '../../src/cli/start-error.ts';
import { openDataDir } from '../../src/cli/open-data-dir.ts';
import { StartError } from '../../src/cli/start-error.ts';
import { Role } from '../support/processes.ts';
import { testCache, testTemporalProgram } from '../support/temporal-server.ts';
import { folderOf } from './folder.ts';

async function refusal(dataDir: string, database = join(dataDir, 'turnkeep.db')): Promise<string> {
  const umask = process.umask();
  try {
    await openDataDir({ dataDir, databaseUrl: `sqlite:${database}` });
  } catch (error) {
    assert.ok(error instanceof StartError);
    assert.doesNotMatch(error.message, /\n/);
    return error.message;
  } finally {
    process.umask(umask);
  }
  return 'none';
}

/** As a user who owns nothing: root may write everywhere. */
async function asNobody(work: () => Promise<void>): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

test('a data dir that is not there is made', async (context) => {
  const dataDir = join(folderOf(context), 'a', 'b');
  assert.equal(await refusal(dataDir), 'none');
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
});

test('a file in the place of the data dir, or above it', async (context) => {
  const file = join(folderOf(context), 'file');
  writeFileSync(file, '');
  for (const dataDir of [file, join(file, 'below')]) {
    assert.equal(
      await refusal(dataDir),
      `the data dir ${dataDir} is a file, or lies below one: it has to be a directory. Name another with TURNKEEP_DATA_DIR (--data-dir).`,
    );
  }
});

test('a file system that takes no directories', { skip: process.platform === 'linux' ? false : 'it is Linux that has one' }, async () => {
  assert.match(await refusal('/proc/turnkeep/data'), /^the data dir \/proc\/turnkeep\/data cannot be made \(ENOENT\) by this user/);
});

test("a data dir, and a database's directory, of another user", async (context) => {
  const folder = folderOf(context);
  const [dataDir, own] = [join(folder, 'data'), join(folder, 'own')];
  mkdirSync(dataDir);
  mkdirSync(own);
  chmodSync(folder, 0o755);
  chmodSync(own, 0o777);
  chmodSync(dataDir, 0o555);
  const { uid } = statSync(dataDir);
  await asNobody(async () => {
    assert.match(
      await refusal(dataDir),
      new RegExp(
        `^the data dir ${dataDir} cannot be written \\(EACCES\\) by this user \\(uid \\d+\\): it belongs to uid ${uid}, mode 555\\. Give it`,
      ),
    );
    assert.match(await refusal(join(dataDir, 'below')), /cannot be made \(EACCES\)/);
    assert.match(
      await refusal(own, join(dataDir, 'turnkeep.db')),
      /^the database's directory \S+ cannot be written \(EACCES\).*DATABASE_URL/,
    );
  });
});

test('a directory in the place of the database', async (context) => {
  const dataDir = folderOf(context);
  mkdirSync(join(dataDir, 'turnkeep.db'));
  assert.match(await refusal(dataDir), /^the database \S+turnkeep\.db is a directory, and has to be a file: .*DATABASE_URL/);
});

test('a port that is taken, told by the command itself', async (context) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const dataDir = folderOf(context);
  const env = { PATH: process.env['PATH'], HOME: dataDir, ...testCache, TEMPORAL_CLI: await testTemporalProgram() };
  const dev = new Role(['dev', '--port', String(port), '--data-dir', dataDir], env);
  context.after(() => dev.kill());
  assert.equal(await dev.ended(), 2);
  assert.equal(
    dev.output.at(-1),
    `turnkeep: port ${port} of 127.0.0.1 is taken: stop what listens there, or give another with TURNKEEP_PORT (--port; 0 takes a free one).`,
  );
});

test('which port, and what else keeps a server from listening', () => {
  const failed = (code: string, port: number): Error => Object.assign(new Error(code), { code, port, syscall: 'listen' });
  const config = { host: '10.9.8.7', port: 80, metricsPort: 9_464 };
  const said = (error: Error): string => String(explainListening(error, config));
  assert.match(said(failed('EADDRINUSE', 9_464)), /port 9464 of 10\.9\.8\.7 is taken.*TURNKEEP_METRICS_PORT/);
  assert.match(said(failed('EACCES', 80)), /port 80 is not for this user.*TURNKEEP_PORT/);
  assert.match(said(failed('EADDRNOTAVAIL', 80)), /10\.9\.8\.7 is no address of this machine.*TURNKEEP_HOST/);
  const other = new Error('another');
  assert.equal(explainListening(other, config), other);
});
