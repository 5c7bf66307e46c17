/** T14: in which order Temporal hands out what waits for a worker. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { Dispatcher } from '../../src/client/dispatcher.ts';
import { priorityOf, urgencyOf } from '../../src/client/priority.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { TurnRow } from '../../src/domain/turn/turn.ts';
import { turnRow } from '../support/turn-row.ts';
import { startTunedServer } from '../support/tuned-server.ts';
import { until } from '../support/until.ts';

const background = { ...defaultSettings('scripted'), background: true };

test('turns of one tenant have one key, which is its name, or the hash of one that Temporal would refuse', () => {
  assert.deepEqual(priorityOf('acme', 'interactive'), { priorityKey: 3, fairnessKey: 'acme' });
  assert.equal(priorityOf('a'.repeat(64), 'background').fairnessKey, 'a'.repeat(64));
  const long = priorityOf('ä'.repeat(33), 'background').fairnessKey ?? '';
  assert.match(long, /^[0-9a-f]{64}$/);
  assert.notEqual(long, priorityOf('ä'.repeat(34), 'background').fairnessKey);
});

test('what a turn calls is as urgent as the turn', async () => {
  const rows = [
    turnRow({ id: 'resp_top', settings: background }),
    turnRow({ id: 'resp_middle', parent: { turn: 'resp_top', number: 0 } }),
    turnRow({ id: 'resp_child', parent: { turn: 'resp_middle', number: 0 } }),
    turnRow({ id: 'resp_stray', parent: { turn: 'resp_gone', number: 0 } }),
  ];
  const store = { readTurn: async (id: string) => rows.find((row) => row.id === id) };
  assert.deepEqual(await Promise.all(rows.map((row) => urgencyOf(store, row))), ['background', 'background', 'background', 'interactive']);
});

test('T14 · the one turn of a tenant is handed out before the many of another that came first, and what is in the background last', async () => {
  // A partition of a queue has an order of its own.
  const server = await startTunedServer({ 'matching.numTaskqueueReadPartitions': 1, 'matching.numTaskqueueWritePartitions': 1 });
  after(server.stop);
  const connection = await Connection.connect({ address: server.address });
  after(() => connection.close());
  const { workflow: workflows } = new Client({ connection });
  const rows = new Map<string, TurnRow>();
  const store = { databaseId: 'db', readTurn: async (id: string) => rows.get(id), markDispatched: async () => undefined };
  const limits = { heartbeatTimeoutMs: 1_000, turnTimeoutMs: 1_000 };
  const claim = () => Promise.reject(new Error('there is no worker'));
  const dispatcher = new Dispatcher({ workflows, taskQueue: 'fair', store: { ...store, claim }, limits, isEager: false });
  const start = async (row: TurnRow): Promise<void> => {
    rows.set(row.id, row);
    await dispatcher.start(row.id);
  };
  const taskQueue = { name: 'fair' };
  // A workflow that has been started comes into its queue a little later: the next one is started behind it.
  const queued = async (count: number): Promise<void> =>
    until(async () => {
      const asked = { namespace: 'default', taskQueue, taskQueueType: 1, reportStats: true };
      const { stats } = await connection.workflowService.describeTaskQueue(asked);
      return Number(stats?.approximateBacklogCount) === count;
    });
  const many = Array.from({ length: 40 }, (_, index) => `many-${index}`);
  await start(turnRow({ id: 'later', tenant: 'third', settings: background }));
  for (const id of many) await start(turnRow({ id, tenant: 'many' }));
  for (const id of ['few-0', 'few-1']) {
    await queued(rows.size);
    await start(turnRow({ id, tenant: 'few' }));
  }
  await dispatcher.startTitle({ session: 'conv_a', turn: 'later' });
  await queued(rows.size + 1);

  const order: string[] = [];
  while (order.length < rows.size + 1) {
    const task = await connection.withDeadline(Date.now() + 70_000, () =>
      connection.workflowService.pollWorkflowTaskQueue({ namespace: 'default', taskQueue, identity: 'test' }),
    );
    const id = task.workflowExecution?.workflowId;
    if (id) order.push(id);
  }
  assert.deepEqual(
    order.filter((id) => id.startsWith('turn/few')),
    ['turn/few-0', 'turn/few-1'],
  );
  // The tasks that the server reads ahead of the others are few.
  assert.ok(order.indexOf('turn/few-1') < many.length / 2, order.join(' '));
  assert.deepEqual(order.slice(-2), ['turn/later', 'title/conv_a']);
});
