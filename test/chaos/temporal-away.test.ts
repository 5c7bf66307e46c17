/** Temporal's server is stopped and started, or stands still, under running turns: for longer than a heartbeat may take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { DevServer } from '../../src/cli/dev-server/start.ts';
import { chat, chatAnswer, done, end, hold, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { folderOf } from '../cli/folder.ts';
import { claimed, inserted, newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';
import { startCluster } from '../support/processes.ts';
import { serverOf, wayOf } from '../support/temporal-way.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';

const options = { timeout: 120_000 };
const heartbeatTimeoutMs = 2_500;
const env = { TURNKEEP_HEARTBEAT_TIMEOUT_MS: String(heartbeatTimeoutMs) };

/** Resolves when a lease of a heartbeat's length, begun now, has run out: whoever beat meanwhile would have been missed. */
async function untilHeartbeatIsOver(): Promise<void> {
  await using database = temporaryDatabase();
  const store = database.open();
  await inserted(store, newTurn('resp_a'));
  await claimed(store, 'resp_a', { lease: { holder: 'nobody', lengthMs: heartbeatTimeoutMs } });
  await until(async () => (await store.listExpiredLeases({ limit: 1, hasWorker: true })).length > 0);
}

async function temporalOf({ address }: DevServer): Promise<Client & AsyncDisposable> {
  const connection = await Connection.connect({ address });
  return Object.assign(new Client({ connection }), { [Symbol.asyncDispose]: () => connection.close() });
}

const { PENDING_ACTIVITY_STATE_STARTED } = proto.temporal.api.enums.v1.PendingActivityState;

/** Whether a worker runs the activity of a turn, as far as Temporal knows. */
async function isBegun({ workflow }: Client, { id }: Viewer): Promise<boolean> {
  const [activity] = (await workflow.getHandle(`turn/${id}`).describe()).raw.pendingActivities ?? [];
  return activity?.state === PENDING_ACTIVITY_STATE_STARTED;
}

async function untilBegun(temporal: Client, viewers: readonly Viewer[]): Promise<void> {
  for (const viewer of viewers) await until(() => isBegun(temporal, viewer));
}

/** Resolves once Temporal counts no more on the run of the activity of each turn. */
async function untilGivenUp(temporal: Client, viewers: readonly Viewer[]): Promise<void> {
  for (const viewer of viewers) await until(async () => !(await isBegun(temporal, viewer)));
}

/** Four turns that are being asked for, two of which have shown something. */
async function fourStreams(url: string): Promise<Viewer[]> {
  const viewers = await Promise.all(['silent 1', 'shown 1', 'silent 2', 'shown 2'].map((input) => Viewer.say(url, input)));
  await Promise.all([viewers[1]?.untilText('Hel'), viewers[3]?.untilText('Hel')]);
  return viewers;
}

const four = {
  fallback: ({ bodyText }: { readonly bodyText: string }): Script =>
    bodyText.includes('silent')
      ? [sseHead, chat.role(), hold('go'), ...chatAnswer('Hello').slice(2)]
      : [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end],
};

test(
  'the Temporal server stopped and started mid-stream: viewers see no break, and turns accepted meanwhile run',
  options,
  async (context) => {
    const folder = folderOf(context);
    const first = await serverOf(context, folder);
    const way = await wayOf(context);
    way.leadTo(first);
    await using cluster = await startCluster({ env: { ...env, TEMPORAL_ADDRESS: way.address } });
    cluster.model.enqueue(
      [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end],
      chatAnswer('meanwhile'),
    );
    const { url } = await cluster.startGateway();
    await cluster.startWorker();
    const viewer = await Viewer.say(url, 'hi');
    await viewer.untilText('Hel');
    way.close();
    await first.stop();
    await untilHeartbeatIsOver();
    cluster.model.release('go');
    await viewer.ended;
    assert.deepEqual([viewer.last.response.status, viewer.text, viewer.isDone], ['completed', 'Hello', true]);

    const meanwhile = await Viewer.say(url, 'are you there?');
    way.leadTo(await serverOf(context, folder));
    await meanwhile.ended;
    assert.deepEqual([meanwhile.last.response.status, meanwhile.text], ['completed', 'meanwhile']);
    assert.equal(cluster.model.requests.length, 2);
  },
);

for (const role of ['serve', 'gateway and worker'] as const) {
  test(
    `T2, T9 · Temporal away for longer than a heartbeat under four streams of ${role}: all complete, each asked for once`,
    options,
    async (context) => {
      const folder = folderOf(context);
      const first = await serverOf(context, folder);
      const way = await wayOf(context);
      way.leadTo(first);
      await using cluster = await startCluster({ env: { ...env, TEMPORAL_ADDRESS: way.address }, model: four });
      const { url } = role === 'serve' ? await cluster.startServe() : await cluster.startGateway();
      if (role !== 'serve') await cluster.startWorker();
      const viewers = await fourStreams(url);
      {
        await using temporal = await temporalOf(first);
        await untilBegun(temporal, viewers);
      }
      way.close();
      await first.stop();
      await untilHeartbeatIsOver();
      const again = await serverOf(context, folder);
      await using temporal = await temporalOf(again);
      // With the way open, a heartbeat might come before Temporal looks at its own clock, and the first run would count again.
      await untilGivenUp(temporal, viewers);
      way.leadTo(again);
      // The second run of each activity joins the attempt that goes on, before the model says another word.
      await untilBegun(temporal, viewers);
      cluster.model.release('go');
      await Promise.all(viewers.map((viewer) => viewer.ended));
      assert.deepEqual(
        viewers.map(({ text, last }) => [text, last.response.status]),
        viewers.map(() => ['Hello', 'completed']),
      );
      assert.equal(cluster.model.requests.length, viewers.length);
      for (const { id } of viewers) {
        assert.deepEqual(await temporal.workflow.getHandle(`turn/${id}`).result(), { status: 'completed', code: null });
      }
    },
  );
}

test(
  'T9 · all stand still for longer than a heartbeat, as when a laptop sleeps: Temporal, turnkeep, the model; then all complete',
  options,
  async (context) => {
    const folder = folderOf(context);
    const server = await serverOf(context, folder);
    // The model stands still at its gate.
    await using cluster = await startCluster({ env: { ...env, TEMPORAL_ADDRESS: server.address }, model: four });
    const { role, url } = await cluster.startServe();
    const viewers = await fourStreams(url);
    process.kill(server.pid, 'SIGSTOP');
    role.signal('SIGSTOP');
    await untilHeartbeatIsOver();
    process.kill(server.pid, 'SIGCONT');
    role.signal('SIGCONT');
    cluster.model.release('go');
    await Promise.all(viewers.map((viewer) => viewer.ended));
    assert.deepEqual(
      viewers.map(({ text, last }) => [text, last.response.status]),
      viewers.map(() => ['Hello', 'completed']),
    );
    assert.equal(cluster.model.requests.length, viewers.length);
  },
);
