/** An agent's turn goes on while its process cannot reach Temporal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { workflowIdOf } from '../../src/contract/workflows.ts';
import { againOf, onceOf } from '../support/agent-turns.ts';
import { sharedTemporalServer } from '../support/temporal-server.ts';
import { wayOf } from '../support/temporal-way.ts';
import { until } from '../support/until.ts';
import { begin, completed, options, sceneOf, settled, whole } from './agent-scene.ts';

test('T2 · Temporal away between two steps: the turn goes on by itself, and its workflow finds it settled', options, async (context) => {
  const server = await sharedTemporalServer();
  const way = await wayOf(context);
  const there = { port: Number(server.address.split(':').at(-1)) };
  way.leadTo(there);
  await using scene = await sceneOf(undefined, { TEMPORAL_ADDRESS: way.address });
  const { cluster, runs } = scene;
  const { url } = await cluster.startServe();
  const id = await begin(scene, url, 'alone');
  const asked = { turn: 'alone', step: 1 };
  await Promise.all([runs.begun(onceOf(asked)), runs.begun(againOf(asked))]);
  await until(async () => (await cluster.store.readTurn(id))?.isDispatched === true);
  way.close();
  runs.releaseAll();
  await settled(scene, id);
  assert.deepEqual(await scene.check('alone'), { ...completed, requests: [1, 1, 1], calls: [whole, whole, whole, whole] });
  way.leadTo(there);
  const connection = await Connection.connect({ address: server.address });
  const { workflow } = new Client({ connection, namespace: server.namespace });
  assert.deepEqual(await workflow.getHandle(workflowIdOf(id)).result(), { status: 'completed', code: null });
  await connection.close();
  assert.equal(cluster.model.requests.length, 3);
});
