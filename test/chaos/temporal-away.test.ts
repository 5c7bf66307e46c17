/** Temporal's server is stopped and started under a running turn. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startDevServer } from '../../src/cli/dev-server/start.ts';
import { chat, chatAnswer, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { startCluster } from '../support/processes.ts';
import { testTemporalProgram } from '../support/temporal-server.ts';
import { Viewer } from '../support/viewer.ts';

test(
  'the Temporal server stopped and started mid-stream: viewers see no break, and turns accepted meanwhile run',
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'turnkeep-away-'));
    const databasePath = join(folder, 'temporal.db');
    const program = await testTemporalProgram();
    const start = async (port?: number) =>
      startDevServer({
        program,
        namespace: 'default',
        hasUi: false,
        databasePath,
        logPath: join(folder, 'log'),
        ...(port === undefined ? {} : { preferredPorts: { port } }),
      });
    let server = await start();
    await using cluster = await startCluster({ env: { TEMPORAL_ADDRESS: server.address, TURNKEEP_HEARTBEAT_TIMEOUT_MS: '20000' } });
    try {
      cluster.model.enqueue(
        [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end],
        chatAnswer('meanwhile'),
      );
      const { url } = await cluster.startGateway();
      await cluster.startWorker();
      const say = async (input: string): Promise<Viewer> =>
        Viewer.open(`${url}/v1/responses`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ input, stream: true }),
        });
      const viewer = await say('hi');
      await viewer.untilText('Hel');
      const { port } = server;
      await server.stop();
      cluster.model.release('go');
      await viewer.ended;
      assert.deepEqual([viewer.last.response.status, viewer.text, viewer.isDone], ['completed', 'Hello', true]);

      const meanwhile = await say('are you there?');
      server = await start(port);
      await meanwhile.ended;
      assert.deepEqual([meanwhile.last.response.status, meanwhile.text], ['completed', 'meanwhile']);
      assert.equal(cluster.model.requests.length, 2);
    } finally {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
