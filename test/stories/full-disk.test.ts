/** A disk that is full: what comes is refused by name, nothing that was refused runs later, and nothing ends for it. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { chat, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { folderOf } from '../cli/folder.ts';
import { errorOf, post } from '../support/post.ts';
import { startCluster } from '../support/processes.ts';
import { isOnPostgres } from '../support/test-database.ts';
import { Viewer } from '../support/viewer.ts';

/** A disk of 16 MB that only this process, and what it starts, has at that path. */
const onItsOwnDisk = 'mount -t tmpfs -o size=16m none "$0" && exec "$@"';

/** Not every machine lets its users mount anything. */
function canMount(): boolean {
  try {
    execFileSync('unshare', ['-rm', 'sh', '-c', onItsOwnDisk, '/tmp', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function startServe(context: TestContext, env: NodeJS.ProcessEnv): Promise<{ child: ChildProcess; url: string; disk: string }> {
  const folder = folderOf(context);
  const child = spawn('unshare', ['-rm', 'sh', '-c', onItsOwnDisk, folder, process.execPath, 'bin/turnkeep.js', 'serve'], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...env, TURNKEEP_DATA_DIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  context.after(() => child.kill('SIGKILL'));
  child.stderr.resume();
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (url === undefined) continue;
    child.stdout.resume();
    return { child, url, disk: `/proc/${child.pid}/root${folder}` };
  }
  throw new Error('it ended before it listened');
}

function fill(disk: string): void {
  const path = join(disk, 'filler');
  for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 2)) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
  assert.equal(statfsSync(disk).bavail, 0);
}

test(
  'a full disk: a POST is 503, a running turn goes on once there is room, and what was refused never runs',
  { timeout: 120_000, skip: isOnPostgres ? 'the disk is that of the embedded database' : !canMount() },
  async (context) => {
    await using cluster = await startCluster();
    const { child, url, disk } = await startServe(context, cluster.env);
    assert.equal((await post(url, { input: 'warm' })).json?.['status'], 'completed');
    cluster.model.enqueue([sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end]);
    const viewer = await Viewer.open(`${url}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input: 'running', stream: true }),
    });
    await viewer.untilText('Hel');
    fill(disk);
    cluster.model.release('go');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => post(url, { input: `refused ${index} ${'x'.repeat(50_000)}` })),
    );
    for (const answer of answers)
      assert.deepEqual([errorOf(answer), answer.headers.get('retry-after')], [[503, null, 'database_busy'], '1']);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    rmSync(join(disk, 'filler'));
    await viewer.ended;
    assert.deepEqual([viewer.text, viewer.last.response.status, viewer.isDone], ['Hello', 'completed', true]);
    assert.equal((await post(url, { input: 'after' })).json?.['status'], 'completed');
    assert.equal(cluster.model.requests.length, 3);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  },
);
