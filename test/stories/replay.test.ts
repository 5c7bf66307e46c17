/** `turnkeep replay` against a real server: what is open before a deploy, children, and turns of somebody's own workflows. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { readConfig } from '../../src/config/read-config.ts';
import { createHistoryReader } from '../../src/history/read-histories.ts';
import { replay } from '../../src/history/replay/replay.ts';
import type { ReplayReport } from '../../src/history/replay/replay-histories.ts';
import { replayBundles } from '../../src/roles/replay-bundle.ts';
import { chat, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { family } from '../support/child-workflows.ts';
import { Role } from '../support/processes.ts';
import { sharedTemporalServer } from '../support/temporal-server.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';

const root = join(import.meta.dirname, '../..');
const options = { timeout: 300_000 };

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-replay-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function replayCommand(
  args: readonly string[],
  world: World,
): Promise<{ code: number | null; reports: ReplayReport[]; output: string }> {
  const { address = '', namespace } = world.config.temporal;
  const env = { ...process.env, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace, TURNKEEP_DATA_DIR: world.config.dataDir };
  const role = new Role(['replay', ...args, '--json'], env);
  const code = await role.ended();
  const reports = role.output.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as ReplayReport);
  return { code, reports, output: role.output.join('\n') };
}

test('before a deploy · a changed line is caught by what is open, and named; the code as it is goes on', options, async (t) => {
  await using world = await World.open({ limits: { idleTimeoutMs: 600_000, firstEventTimeoutMs: 600_000, turnTimeoutMs: 600_000 } });
  world.model.enqueue([sseHead, chat.role(), chat.content('one'), hold('open'), chat.content('!'), chat.finish(), chat.usage(), done, end]);
  const viewer = await world.say('hi');
  await world.model.reached('open');
  const workflowId = `turn/${viewer.id}`;
  const isListed = async (): Promise<boolean> => {
    let count = 0;
    const query = `WorkflowId = '${workflowId}' AND ExecutionStatus = 'Running'`;
    for await (const _run of world.temporal.workflow.list({ query })) count += 1;
    // Where it has begun, its first task has ended.
    return count > 0 && (await world.temporal.workflow.getHandle(workflowId).describe()).historyLength >= 5;
  };
  await until(isListed);
  const same = await replayCommand(['--running'], world);
  const found = same.reports.find((report) => report.workflow_id === workflowId);
  assert.equal(found?.outcome, 'same', same.output);
  const others = same.reports.filter(({ outcome }) => outcome === 'diverged');
  assert.notEqual(same.code, 1, JSON.stringify(others, undefined, 2));

  const folder = folderFor(t);
  for (const room of ['workflows', 'contract', 'domain']) cpSync(join(root, 'src', room), join(folder, 'src', room), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const path = join(folder, 'src/workflows/run-turn.ts');
  const code = readFileSync(path, 'utf8').replace('  const result = streamModel(', '  await sleep(1);\n  const result = streamModel(');
  writeFileSync(path, code);
  const line = code.split('\n').findIndex((text) => text.includes('await sleep(1);')) + 1;
  const changed = await replayCommand(['--running', '--workflows', join(folder, 'src/workflows/index.ts')], world);
  assert.equal(changed.code, 1, changed.output);
  const diverged = changed.reports.find((report) => report.workflow_id === workflowId);
  assert.deepEqual(
    [diverged?.outcome, diverged?.divergence?.event?.type, diverged?.divergence?.found],
    ['diverged', 'ActivityTaskScheduled', 'a timer'],
    changed.output,
  );
  assert.ok(diverged?.divergence?.line?.endsWith(`src/workflows/run-turn.ts:${line}`), diverged?.divergence?.line ?? 'no line');
  world.model.release('open');
  await viewer.ended;
});

test(
  'children of every kind of id replay, before and after continue-as-new, where the replay knows the id of their workflow',
  options,
  async (t) => {
    const { address, namespace } = await sharedTemporalServer();
    const connection = await NativeConnection.connect({ address });
    t.after(() => connection.close());
    const taskQueue = `children-${crypto.randomUUID()}`;
    const workflowsPath = join(root, 'test/support/child-workflows.ts');
    const worker = await Worker.create({ connection, namespace, taskQueue, workflowsPath });
    const client = new Client({ connection: Connection.lazy({ address }), namespace });
    t.after(() => client.connection.close());
    const workflowId = `family-${crypto.randomUUID()}`;
    await worker.runUntil(client.workflow.execute(family, { taskQueue, workflowId, args: [1] }));
    const histories = await createHistoryReader(client)({ id: '', workflowId, runId: null });
    assert.ok('runs' in histories, JSON.stringify(histories));
    assert.equal(histories.runs.length, 2, 'both runs are read from the last one');
    const folder = folderFor(t);
    const files = histories.runs.flatMap(({ runId, events }, index) =>
      [workflowId, 'another'].map((id) => {
        const file = join(folder, `${index}-${id}.json`);
        writeFileSync(file, JSON.stringify({ workflow_id: id, run_id: runId, events }));
        return file;
      }),
    );
    const reports = await replay({ files, ...replayBundles({ config: readConfig({ env: {} }), workflowsPath }) });
    assert.deepEqual(
      reports.map(({ workflow_id: id, outcome }) => [id === workflowId, outcome]),
      [
        [true, 'same'],
        [false, 'diverged'],
        [true, 'same'],
        [false, 'diverged'],
      ],
      JSON.stringify(reports),
    );
    // Ids that are made of the workflow's own are others under another id: `runReplayHistory` of the SDK calls it `fake` where none is given.
    const line =
      readFileSync(workflowsPath, 'utf8')
        .split('\n')
        .findIndex((text) => text.includes('of an id by name')) + 1;
    const { event, expected, found, line: at } = reports[1]?.divergence ?? {};
    assert.deepEqual(
      [event?.type, expected, found, at],
      [
        'StartChildWorkflowExecutionInitiated',
        `Child workflow id 'kid/${workflowId}/1'`,
        "'kid/another/1'",
        `test/support/child-workflows.ts:${line}`,
      ],
    );
  },
);
