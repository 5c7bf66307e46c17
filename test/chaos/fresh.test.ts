/** Documented use: whoever comes first makes the database, and the others of the same moment wait for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post } from '../support/post.ts';
import { startCluster } from '../support/processes.ts';

const rounds = 2;

test('processes that open a fresh data dir at the same moment all work', { timeout: 180_000 }, async () => {
  for (let round = 0; round < rounds; round += 1) {
    await using cluster = await startCluster();
    const [, ...gateways] = await Promise.all([
      cluster.startWorker(),
      cluster.startGateway(),
      cluster.startGateway(),
      cluster.startServe(),
      cluster.startServe(),
    ]);
    for (const { url } of gateways) {
      const ready = await fetch(`${url}/readyz`);
      assert.equal(ready.status, 200, await ready.text());
      assert.equal((await post(url, { input: 'hi' })).json?.['status'], 'completed');
    }
  }
});
