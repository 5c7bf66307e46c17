/**
 * Temporal's dev server is killed with -9 under load. How often: TURNKEEP_TEST_KILLS, 2 by default.
 *
 *     TURNKEEP_TEST_KILLS=10 node test/run.ts test/chaos/temporal-killed.test.ts
 */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { startDevServer } from '../../src/cli/dev-server/start.ts';
import { folderOf } from '../cli/folder.ts';
import { asked } from '../support/cases.ts';
import { post } from '../support/post.ts';
import { startCluster } from '../support/processes.ts';
import { testTemporalProgram } from '../support/temporal-server.ts';

const kills = Number(process.env['TURNKEEP_TEST_KILLS'] ?? 2);
const conversations = 8;
const turnsBetweenKills = 24;

test(
  `kill -9 of Temporal's dev server ${kills} times in mid-load: each workflow that it had is still there, each turn completes, asked for once`,
  { timeout: 60_000 + kills * 30_000 },
  async (context) => {
    const folder = folderOf(context);
    const events = new EventEmitter();
    const server = await startDevServer({
      program: await testTemporalProgram(),
      namespace: 'default',
      hasUi: false,
      databasePath: join(folder, 'temporal.db'),
      logPath: join(folder, 'log'),
      onLost: ({ type }) => events.emit(type),
    });
    context.after(() => server.stop());
    await using cluster = await startCluster({ env: { TEMPORAL_ADDRESS: server.address } });
    const { url } = await cluster.startServe();
    const statuses = new Map<string, unknown>();
    const over = new AbortController();
    async function converse(name: string): Promise<void> {
      const response = await fetch(`${url}/v1/conversations`, { method: 'POST' });
      const { id: conversation } = (await response.json()) as { id: string };
      for (let turn = 0; !over.signal.aborted; turn += 1) {
        const { json } = await post(url, { input: `${name}, ${turn}`, conversation });
        statuses.set(String(json?.['id']), json?.['status']);
        events.emit('ended');
      }
    }
    const load = Promise.all(Array.from({ length: conversations }, (_, index) => converse(`conversation ${index}`)));
    const turnsLater = async (): Promise<void> => {
      for (let left = turnsBetweenKills; left > 0; left -= 1) await once(events, 'ended');
    };
    for (let kill = 0; kill < kills; kill += 1) {
      await turnsLater();
      const again = once(events, 'again');
      process.kill(server.pid, 'SIGKILL');
      await again;
    }
    await turnsLater();
    over.abort();
    await load;

    assert.deepEqual(new Set(statuses.values()), new Set(['completed']));
    const requests = cluster.model.requests.map(asked);
    assert.equal(requests.length, new Set(requests).size, 'no turn is asked for twice');
    assert.equal(requests.length, statuses.size);
    const connection = await Connection.connect({ address: server.address });
    context.after(() => connection.close());
    const { workflow } = new Client({ connection });
    for (const turn of statuses.keys()) {
      const row = await cluster.store.readTurn(turn);
      // A turn that ended while Temporal was away never had a run.
      if (row?.runId != null)
        assert.deepEqual(await workflow.getHandle(`turn/${turn}`, row.runId).result(), { status: 'completed', code: null });
    }
  },
);
