/** `turnkeep backup` beside a running turnkeep, and a start on what it has copied. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { chat, chatAnswer, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { post } from '../support/post.ts';
import { Role, startCluster } from '../support/processes.ts';
import { testCache, testTemporalProgram } from '../support/temporal-server.ts';
import { Viewer } from '../support/viewer.ts';
import { folderOf } from './folder.ts';

const root = join(import.meta.dirname, '../..');

function backup(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const run = spawnSync(process.execPath, ['bin/turnkeep.js', 'backup', ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: '/none', ...env },
  });
  return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}

test(
  'what was copied while a turn ran has every turn before it, and the one that ran gets its end',
  { timeout: 120_000 },
  async (context) => {
    const copies = join(folderOf(context), 'copies');
    await using cluster = await startCluster();
    cluster.model.enqueue(chatAnswer('Hello'), [sseHead, chat.content('Hel'), stall], chatAnswer('again'));
    const { role, url } = await cluster.startServe();
    const conversation = ((await (await fetch(`${url}/v1/conversations`, { method: 'POST' })).json()) as { id: string }).id;
    const before = await post(url, { input: 'hi', conversation });
    const running = String((await post(url, { input: 'ho', background: true })).json?.['id']);
    const viewer = await Viewer.open(`${url}/v1/responses/${running}?stream=true`);
    await viewer.untilText('Hel');

    const { code, stdout, stderr } = backup([copies, '--json'], { TURNKEEP_DATA_DIR: String(cluster.env['TURNKEEP_DATA_DIR']) });
    assert.deepEqual([code, stderr], [0, '']);
    const { files } = JSON.parse(stdout) as { files: { path: string; bytes: number }[] };
    const [database] = files;
    assert.deepEqual(files, [{ path: join(copies, 'turnkeep.db'), bytes: statSync(database?.path ?? '').size }]);
    assert.deepEqual(readdirSync(copies), ['turnkeep.db']);
    assert.equal((statSync(join(copies, 'turnkeep.db')).mode & 0o777).toString(8), '600');
    const twice = backup([copies], { TURNKEEP_DATA_DIR: String(cluster.env['TURNKEEP_DATA_DIR']) });
    assert.deepEqual(
      [twice.code, twice.stderr],
      [2, `turnkeep: ${join(copies, 'turnkeep.db')} is there already: name an empty directory.\n`],
    );
    await role.kill();

    const restored = join(folderOf(context), 'restored');
    mkdirSync(restored);
    cpSync(join(copies, 'turnkeep.db'), join(restored, 'turnkeep.db'));
    const again = await cluster.startServe({ TURNKEEP_DATA_DIR: restored });
    const kept = (await (await fetch(`${again.url}/v1/responses/${String(before.json?.['id'])}`)).json()) as object;
    assert.deepEqual(kept, before.json);
    const seen = await Viewer.open(`${again.url}/v1/responses/${running}?stream=true`);
    await seen.ended;
    assert.deepEqual([seen.text, seen.last.response.error?.code], ['Hel', 'worker_lost']);
    assert.equal((await post(again.url, { input: 'hey', conversation })).json?.['status'], 'completed');
  },
);

test(
  'a running dev is copied with its Temporal server’s database, and another dev goes on from both',
  { timeout: 120_000 },
  async (context) => {
    const home = folderOf(context);
    const env = { PATH: process.env['PATH'], HOME: home, ...testCache, TEMPORAL_CLI: await testTemporalProgram() };
    const devOn = async (dataDir: string): Promise<{ role: Role; url: string; temporal: string }> => {
      const role = new Role(['dev', '--port', '0', '--data-dir', dataDir], env);
      context.after(() => role.kill());
      const [, url = ''] = await role.says(/API +(http:\S+)\/v1/);
      const [, temporal = ''] = await role.says(/the server itself: (\S+)\)/);
      await role.says(/^Ctrl-C/);
      return { role, url, temporal };
    };
    const first = await devOn(join(home, 'data'));
    const id = String((await post(first.url, { input: 'hi' })).json?.['id']);
    const copies = join(home, 'copies');
    const { code, stderr } = backup([copies, '--data-dir', join(home, 'data')]);
    assert.deepEqual([code, stderr, readdirSync(copies).toSorted()], [0, '', ['temporal.db', 'turnkeep.db']]);
    first.role.signal('SIGTERM');
    assert.equal(await first.role.ended(), 0);

    const second = await devOn(copies);
    assert.equal((await fetch(`${second.url}/v1/responses/${id}`)).status, 200);
    const connection = await Connection.connect({ address: second.temporal });
    const run = await new Client({ connection }).workflow.getHandle(`turn/${id}`).describe();
    assert.equal(run.type, 'agentTurn');
    await connection.close();
    assert.equal((await post(second.url, { input: 'ho', previous_response_id: id })).json?.['status'], 'completed');
  },
);

test('a backup of nothing, or into a file, says what is wrong', (context) => {
  const dataDir = folderOf(context);
  const none = backup([join(dataDir, 'copies'), '--data-dir', dataDir]);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /^turnkeep: there is no database at \S+turnkeep\.db: name its directory with --data-dir/);
  writeFileSync(join(dataDir, 'turnkeep.db'), 'this is no database, and long enough to be read as one'.repeat(20));
  const broken = backup([join(dataDir, 'copies'), '--data-dir', dataDir]);
  assert.deepEqual([broken.code, readdirSync(join(dataDir, 'copies'))], [2, []]);
  assert.match(broken.stderr, /cannot be copied to .*file is not a database/);
  const nowhere = backup([join(dataDir, 'turnkeep.db', 'copies'), '--data-dir', dataDir]);
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /^turnkeep: \S+copies cannot be made: /);
});
