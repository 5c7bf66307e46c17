/** T10: every history that was recorded replays on today's code. How one is recorded: `record.ts`. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from '@temporalio/worker';
import { bundleWorkflows } from '../../src/roles/workflow-bundle.ts';
import { readHistory } from './record.ts';

const folder = join(import.meta.dirname, 'histories');

test("T10 · the recorded histories, one of each kind of run, replay on today's code", async () => {
  const names = globSync('*.txt', { cwd: folder }).toSorted();
  assert.ok(names.length >= 15, `only ${names.length} histories are there`);
  const histories = names.map((name) => readHistory(readFileSync(join(folder, name), 'utf8')));
  const diverged: string[] = [];
  let replayed = 0;
  const results = Worker.runReplayHistories({ workflowBundle: await bundleWorkflows({ codecKeys: [] }) }, histories);
  for await (const { error } of results) {
    if (error !== undefined) diverged.push(`${names[replayed]}: ${error.message}`);
    replayed += 1;
  }
  assert.deepEqual(diverged, []);
  assert.equal(replayed, names.length);
});
