import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { claimDataDir, findRunningDev } from '../../src/cli/dev-server/data-dir.ts';
import { folderOf } from './folder.ts';

const source = new URL('../../src/cli/dev-server/data-dir.ts', import.meta.url).href;

/** A process that holds the data dir until it is killed. */
async function holder(dataDir: string) {
  const script = `
    const { claimDataDir } = await import(process.argv[1]);
    const claim = claimDataDir(process.argv[2]);
    claim.write({ pid: process.pid, namespace: 'n', taskQueue: 'q', temporalAddress: '127.0.0.1:7', baseUrl: 'http://127.0.0.1:8/v1', ports: { port: 7 } });
    console.log('held');
    setInterval(() => claim, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, source, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

test('a second dev on a data dir is refused, told who has it; a kill -9 of the first frees it', async (context) => {
  const dataDir = folderOf(context);
  const first = await holder(dataDir);
  assert.throws(() => claimDataDir(dataDir), {
    name: 'DataDirTakenError',
    message: `Another turnkeep dev runs on ${dataDir} (pid ${first.pid}, http://127.0.0.1:8/v1). Stop it, or give this one its own with TURNKEEP_DATA_DIR (--data-dir), and its own port with TURNKEEP_PORT (--port).`,
  });
  assert.equal(findRunningDev(dataDir)?.temporalAddress, '127.0.0.1:7');

  first.kill('SIGKILL');
  await once(first, 'close');
  assert.equal(findRunningDev(dataDir), undefined, 'its record is still there, but it does not run');
  const claim = claimDataDir(dataDir);
  assert.deepEqual(claim.previous?.ports, { port: 7 }, 'the ports of the last run are known to the next');
  claim.release();
  claimDataDir(dataDir).release();
});

test('those who ask whether a dev runs never refuse one that starts', async (context) => {
  const dataDir = folderOf(context);
  for (let round = 0; round < 50; round++) {
    const claim = claimDataDir(dataDir);
    claim.write({ pid: process.pid, namespace: 'n', taskQueue: 'q' });
    assert.equal(findRunningDev(dataDir)?.pid, process.pid);
    claim.release();
    assert.equal(findRunningDev(dataDir), undefined);
  }
});

test('a record that is nonsense is none', (context) => {
  const dataDir = folderOf(context);
  writeFileSync(join(dataDir, 'dev.json'), '{"pid":');
  const claim = claimDataDir(dataDir);
  assert.equal(claim.previous, undefined);
  assert.equal(findRunningDev(dataDir), undefined);
  claim.release();
});
