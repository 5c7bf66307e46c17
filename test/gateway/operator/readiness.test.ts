/** `/readyz`, and what of it a load balancer asks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { createReadiness } from '../../../src/client/readiness.ts';
import { appFor, serve } from '../served-app.ts';

test('while Temporal is away a gateway is unready, but not for a load balancer, who asks without it', async (t) => {
  const client = new Client({ connection: Connection.lazy({ address: '127.0.0.1:1' }) });
  let probe = async (): Promise<void> => undefined;
  const store = { probe: async () => probe() };
  let isDraining = false;
  const unreadyReasons = createReadiness({ client, store, namespace: 'default', taskQueue: 'none' });
  const url = await serve(t, appFor(t, { unreadyReasons, isDraining: () => isDraining }));
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(url + path);
    return [response.status, await response.json()];
  };
  const away = 'Temporal does not answer';
  assert.deepEqual(await ask('/readyz'), [503, { status: 'unready', reasons: [away] }]);
  assert.deepEqual(await ask('/readyz?without=temporal'), [200, { status: 'ready' }]);
  probe = async () => Promise.reject(new Error('locked'));
  const unwritable = 'the database cannot be written';
  assert.deepEqual(await ask('/readyz'), [503, { status: 'unready', reasons: [away, unwritable] }]);
  assert.deepEqual(await ask('/readyz?without=temporal'), [503, { status: 'unready', reasons: [unwritable] }]);
  isDraining = true;
  assert.deepEqual(await ask('/readyz?without=temporal'), [503, { status: 'draining' }]);
  const [status] = (await ask('/readyz?without=database')) as [number];
  assert.equal(status, 400);
});
