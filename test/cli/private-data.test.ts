/** Nobody but its owner reads the data dir, whatever the umask is and whoever made it. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { keepPrivate } from '../../src/cli/private-data.ts';
import { Role } from '../support/processes.ts';
import { testTemporalProgram } from '../support/temporal-server.ts';
import { folderOf } from './folder.ts';

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

function modesIn(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, modeOf(join(folder, name))]));
}

test('what dev and its Temporal server make is private under a umask that hides nothing', async (context) => {
  const dataDir = join(folderOf(context), 'data');
  const umask = process.umask(0);
  context.after(() => process.umask(umask));
  const env = { PATH: process.env['PATH'], HOME: folderOf(context), TEMPORAL_CLI: await testTemporalProgram() };
  const dev = new Role(['dev', '--port', '0', '--data-dir', dataDir], env);
  context.after(() => dev.kill());
  await dev.says(/^Ctrl-C stops it\.$/);
  assert.equal(modeOf(dataDir), '700');
  const modes = modesIn(dataDir);
  assert.ok('turnkeep.db' in modes && 'temporal.db' in modes && 'temporal.log' in modes, Object.keys(modes).join());
  assert.deepEqual(
    Object.entries(modes).filter(([, mode]) => mode !== '600'),
    [],
  );
});

test('a data dir that others can read is closed, with what is ours in it, and this is said once', (context) => {
  const dataDir = join(folderOf(context), 'data');
  const umask = process.umask(0);
  context.after(() => process.umask(umask));
  mkdirSync(dataDir);
  for (const name of ['turnkeep.db', 'turnkeep.db-wal', 'temporal.db', 'notes.txt'])
    writeFileSync(join(dataDir, name), '', { mode: 0o644 });
  const database = join(folderOf(context), 'elsewhere.db');
  writeFileSync(database, '', { mode: 0o640 });
  const config = { dataDir, databaseUrl: `sqlite:${database}` };

  const [notice = '', ...more] = keepPrivate(config);
  assert.match(notice, /^other users could read \S+ and 4 more \(.*turnkeep\.db-wal.*\): now only its owner can$/);
  assert.deepEqual(more, []);
  assert.deepEqual([modeOf(dataDir), modeOf(database)], ['700', '600']);
  assert.deepEqual(modesIn(dataDir), { 'notes.txt': '644', 'temporal.db': '600', 'turnkeep.db': '600', 'turnkeep.db-wal': '600' });
  assert.deepEqual(keepPrivate(config), []);
});

test('a directory that many share stays as it is', (context) => {
  const dataDir = folderOf(context);
  chmodSync(dataDir, 0o1777);
  assert.deepEqual(keepPrivate({ dataDir, databaseUrl: `sqlite:${join(dataDir, 'turnkeep.db')}` }), []);
  assert.equal(modeOf(dataDir), '777');
});
