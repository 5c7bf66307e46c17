/** What becomes of the log takes no turn with it: a full disk, and a pipe that nobody reads, behind stderr. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderOf } from '../cli/folder.ts';
import { post } from '../support/post.ts';
import { startCluster } from '../support/processes.ts';

const options = { timeout: 180_000, skip: process.platform !== 'linux' };

/** Runs turns, eight at a time. Resolves with their statuses. */
async function runTurns(url: string, count: number): Promise<ReadonlySet<unknown>> {
  const statuses = new Set<unknown>();
  let left = count;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      statuses.add((await post(url, { input: `turn ${left}` })).json?.['status']);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return statuses;
}

test('a process whose stderr is on a full disk runs its turns, and ends as it should', options, async () => {
  await using cluster = await startCluster();
  const full = openSync('/dev/full', 'w');
  const { role, url } = await cluster.startServe({}, full);
  closeSync(full);
  assert.deepEqual(await runTurns(url, 16), new Set(['completed']));
  role.signal('SIGTERM');
  assert.equal(await role.ended(), 0);
});

test('a process whose stderr nobody reads runs 150 turns, and ends as it should', options, async (context) => {
  const path = join(folderOf(context), 'stderr');
  execFileSync('mkfifo', [path]);
  // More than a pipe holds, several times.
  await using cluster = await startCluster({ env: { LOG_LEVEL: 'trace' } });
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const pipe = openSync(path, 'w');
  const { role, url } = await cluster.startServe({}, pipe);
  closeSync(pipe);
  assert.deepEqual(await runTurns(url, 150), new Set(['completed']));
  role.signal('SIGTERM');
  assert.equal(await role.ended(), 0);
  closeSync(reader);
});
