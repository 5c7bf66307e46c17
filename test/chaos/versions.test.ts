/** Temporal's worker versioning: two versions side by side, and turns that begin with the one and end with the other (T10). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { workflowIdOf } from '../../src/contract/workflows.ts';
import { bundleWorkflows } from '../../src/roles/workflow-bundle.ts';
import { quieten } from '../../src/test-environment/roles.ts';
import { chat, done, end, hold, httpError, sseHead } from '../../src/testing/model-server/index.ts';
import { type Cluster, startCluster } from '../support/processes.ts';
import { testCacheDir } from '../support/temporal-server.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';

quieten();

const ofVersion = (name: string, version: string): NodeJS.ProcessEnv => ({
  TURNKEEP_DEPLOYMENT_NAME: name,
  TURNKEEP_DEPLOYMENT_VERSION: version,
});

/** A connection of the test's own, to see what Temporal has. */
async function connect({ env, store }: Cluster, name: string) {
  const connection = await NativeConnection.connect({ address: env['TEMPORAL_ADDRESS'] ?? '' });
  const namespace = env['TEMPORAL_NAMESPACE'] ?? '';
  const { workflow, workflowService } = new Client({ connection, namespace });
  const historyOf = async (turn: string) => {
    // Its answer may have been there before its workflow.
    await until(async () => (await store.readTurn(turn))?.isDispatched === true);
    const handle = workflow.getHandle(workflowIdOf(turn));
    await handle.result();
    return handle.fetchHistory();
  };
  return {
    historyOf,
    /** Temporal learns of a version by its first poll. */
    async makeCurrent(buildId: string): Promise<void> {
      const wanted = { namespace, deploymentName: name, buildId };
      await until(async () =>
        workflowService.setWorkerDeploymentCurrentVersion(wanted).then(
          () => true,
          () => false,
        ),
      );
    },
    /** The versions that carried out the workflow tasks of a turn, in order. */
    async versionsOf(turn: string): Promise<(string | null | undefined)[]> {
      const { events } = await historyOf(turn);
      const done = (events ?? []).map((event) => event.workflowTaskCompletedEventAttributes);
      return done.filter((each) => each != null).map((each) => each.deploymentVersion?.buildId);
    },
    async isEager(turn: string): Promise<boolean> {
      const { events } = await historyOf(turn);
      return events?.[0]?.workflowExecutionStartedEventAttributes?.eagerExecutionAccepted === true;
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

async function hear(url: string, input: string): Promise<Viewer> {
  const viewer = await Viewer.say(url, input);
  await viewer.ended;
  assert.equal(viewer.last.type, 'response.completed', JSON.stringify(viewer.last.response.error));
  return viewer;
}

test('T10 · turns that an old version began go on by the new one: none is lost, none asked for twice', { timeout: 180_000 }, async () => {
  await using cluster = await startCluster({ env: { TURNKEEP_DRAIN_MS: '600000' } });
  const name = `turnkeep-${crypto.randomUUID()}`;
  await using temporal = await connect(cluster, name);
  const { model } = cluster;
  const old = await cluster.startServe(ofVersion(name, '1'));
  await temporal.makeCurrent('1');
  const first = await hear(old.url, 'hi');
  assert.deepEqual(await temporal.versionsOf(first.id), ['1', '1']);

  // The new version stands beside the old one, and may take turns in: as long as it is not the current one, their runs are the old one's.
  const young = await cluster.startServe(ofVersion(name, '2'));
  const early = await hear(young.url, 'too early');
  assert.deepEqual([await temporal.versionsOf(early.id), await temporal.isEager(early.id)], [['1', '1'], false]);

  model.enqueue([sseHead, chat.content('Hel'), hold('rest'), chat.content('lo'), chat.finish(), done, end]);
  const streaming = await Viewer.say(old.url, 'a long answer');
  await streaming.untilText('Hel');
  model.enqueue(httpError(503, {}, { 'retry-after': '3' }));
  const asked = await Viewer.say(old.url, 'asked again later');
  await until(async () => (await cluster.store.readAttempts(asked.id)).length === 1);
  await temporal.makeCurrent('2');
  old.role.signal('SIGTERM');
  await old.role.says(/drain|stopp/i);
  await asked.ended;
  model.release('rest');
  await streaming.ended;
  assert.equal(await old.role.ended(), 0);

  assert.deepEqual([streaming.text, streaming.last.type, asked.last.type], ['Hello', 'response.completed', 'response.completed']);
  assert.deepEqual([(await temporal.versionsOf(asked.id)).at(-1), (await temporal.versionsOf(streaming.id)).at(-1)], ['2', '2']);
  assert.equal(model.requests.length, 5);

  // Once a process knows that its version is the current one, it is given the first task of its runs at once.
  await until(async () => temporal.isEager((await hear(young.url, 'by the new one')).id));
  const bundle = await bundleWorkflows({ codecKeys: [] }, { cacheFolder: testCacheDir });
  for (const { id } of [first, early, streaming, asked])
    await Worker.runReplayHistory({ workflowBundle: bundle }, await temporal.historyOf(id));
});

test('T10 · workers without a version are the old ones where the first version comes', { timeout: 180_000 }, async () => {
  await using cluster = await startCluster();
  const name = `turnkeep-${crypto.randomUUID()}`;
  await using temporal = await connect(cluster, name);
  const { model } = cluster;
  const old = await cluster.startServe();
  const first = await cluster.startServe(ofVersion(name, '1'));
  const early = await hear(first.url, 'too early');
  assert.deepEqual(await temporal.versionsOf(early.id), [undefined, undefined]);
  model.enqueue(httpError(503, {}, { 'retry-after': '3' }));
  const asked = await Viewer.say(old.url, 'asked again later');
  await until(async () => (await cluster.store.readAttempts(asked.id)).length === 1);
  await temporal.makeCurrent('1');
  old.role.signal('SIGTERM');
  await asked.ended;
  assert.deepEqual([asked.last.type, (await temporal.versionsOf(asked.id)).at(-1), model.requests.length], ['response.completed', '1', 3]);
});
