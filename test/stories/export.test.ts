/** A turn as a file: all that the database and Temporal have of it, over real turns. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { type Bundle, bundleSchema, readBundle } from '../../src/history/bundle.ts';
import { historyOfJson } from '../../src/history/history-json.ts';
import { bundleWorkflows } from '../../src/roles/workflow-bundle.ts';
import { chatAnswer, chatToolCalls } from '../../src/testing/model-server/index.ts';
import { testCacheDir } from '../support/temporal-server.ts';
import { until } from '../support/until.ts';
import type { World } from '../support/world.ts';
import { agentStory, bigResult, call, helper } from './agent-story.ts';

/** As `turnkeep export` has it: through a file. */
async function exported(world: World, id: string): Promise<Bundle> {
  await until(async () => (await world.store.readTurn(world.ownId(id)))?.isDispatched === true);
  const answer = await fetch(`${world.url}/turns/${id}/export`);
  assert.equal(answer.status, 200);
  const folder = await mkdtemp(join(tmpdir(), 'turnkeep-export-'));
  try {
    const file = join(folder, 'one.turn.json');
    await writeFile(file, await answer.text());
    return await readBundle(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function replays({ temporal }: Bundle): Promise<number> {
  assert.ok('histories' in temporal, JSON.stringify(temporal));
  const workflowBundle = await bundleWorkflows({ codecKeys: [] }, { cacheFolder: testCacheDir });
  for (const history of temporal.histories) await Worker.runReplayHistory({ workflowBundle }, historyOfJson(history));
  return temporal.histories.length;
}

agentStory(
  'a turn with tools is exported whole: what went before, its requests, its calls, its journal to the byte, its history',
  async (world, tools) => {
    const session = await world.session();
    world.model.enqueue(chatAnswer('Hello there'));
    await world.hear('hi', { conversation: session });
    world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one'), call('c2', 'big')), chatAnswer('done'));
    const viewer = await world.hear('go', { ...helper, conversation: session });
    const { id } = viewer.last.response;
    await world.history(id);
    const bundle = await exported(world, id);
    assert.deepEqual(Object.keys(bundle), Object.keys(bundleSchema.shape), 'the members, in their order');
    // A viewer is noted as gone a moment after it has seen the end.
    const { viewers: _followed, ...told } = (await world.call('GET', `/turns/${id}`)).body as { viewers: unknown };
    const { viewers: _exported, ...timeline } = bundle.timeline;
    assert.deepEqual(timeline, told);
    assert.deepEqual(
      bundle.transcript.map(({ status, input_count: inputs, items }) => [status, inputs, items.map(({ role }) => role)]),
      [['completed', 1, ['user', 'assistant']]],
    );
    assert.deepEqual(
      bundle.attempts.map(({ step, attempt, outcome }) => [step, attempt, outcome]),
      [
        [1, 1, 'completed'],
        [2, 1, 'completed'],
      ],
    );
    assert.deepEqual(
      bundle.calls.map(({ name, runs, result }) => [name, runs, result]),
      [
        ['echo', 1, 'echo of one'],
        ['big', 1, bigResult],
      ],
    );
    assert.equal(bundle.calls[0]?.attempts?.length, 1);
    const rows = await world.store.readJournal(world.ownId(id));
    assert.deepEqual(
      bundle.journal,
      rows.map(({ seq, type, data }) => ({ seq, type, data })),
    );
    assert.equal(bundle.turn.workflow_id, `turn/${id}`);
    assert.equal(await replays(bundle), 1);
    assert.equal(tools.runs.length, 2);
  },
);
