/** What is owed to an endpoint is delivered, whichever process dies, and whether Temporal is there or not when the turn ends. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { chat, chatAnswer, done, end, hold, selfSigned, sseHead } from '../../src/testing/model-server/index.ts';
import { folderOf } from '../cli/folder.ts';
import { post } from '../support/post.ts';
import { type Cluster, startCluster } from '../support/processes.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { serverOf, wayOf } from '../support/temporal-way.ts';
import { until } from '../support/until.ts';

const options = { timeout: 120_000 };
const envOf = ({ url, secret }: Receiver): NodeJS.ProcessEnv => ({ TURNKEEP_WEBHOOK_URL: url, TURNKEEP_WEBHOOK_SECRET: secret });
const without = { TURNKEEP_WEBHOOK_URL: '', TURNKEEP_WEBHOOK_SECRET: '' };

async function begin(url: string): Promise<string> {
  const { status, json } = await post(url, { input: 'hi', background: true });
  assert.equal(status, 200);
  return String(json?.['id']);
}

const eventIdOf = (id: string): string => id.replace('resp_', 'evt_');

async function untilStatus(cluster: Cluster, id: string, status: string): Promise<void> {
  await until(async () => (await cluster.store.readWebhook(id))?.status === status);
}

test('kill -9 of the worker between the end of a turn and its delivery: another one delivers it, once', options, async () => {
  await using receiver = await startReceiver();
  await using cluster = await startCluster({ env: envOf(receiver), model: { fallback: () => chatAnswer('Hello') } });
  const { url } = await cluster.startGateway();
  // It has no endpoints, so that what it owes is sure to be undelivered when it dies.
  const doomed = await cluster.startWorker(without);
  const id = await begin(url);
  await untilStatus(cluster, id, 'pending');
  await doomed.kill();
  await cluster.startWorker();
  await untilStatus(cluster, id, 'delivered');
  assert.deepEqual(
    receiver.deliveries.map((delivery) => delivery.id),
    [eventIdOf(id)],
  );
});

test('kill -9 of the worker amid a delivery: another one makes it again, under the same id and with the same body', options, async () => {
  await using receiver = await startReceiver();
  receiver.answer(() => undefined);
  await using cluster = await startCluster({ env: envOf(receiver), model: { fallback: () => chatAnswer('Hello') } });
  const { url } = await cluster.startGateway();
  const doomed = await cluster.startWorker();
  const id = await begin(url);
  await receiver.received(1);
  await doomed.kill();
  await cluster.startWorker();
  await untilStatus(cluster, id, 'delivered');
  const [first, second] = receiver.deliveries;
  assert.deepEqual([first?.id, second?.id, second?.body], [eventIdOf(id), eventIdOf(id), first?.body]);
  assert.ok(!(second?.event instanceof Error));
  assert.equal(receiver.deliveries.length, 2);
});

test('Temporal away when a turn ends, and kill -9 of who wrote that end: it is told once all are back', options, async (context) => {
  const folder = folderOf(context);
  const server = await serverOf(context, folder);
  await using receiver = await startReceiver();
  const way = await wayOf(context);
  way.leadTo(server);
  await using cluster = await startCluster({ env: { ...envOf(receiver), TEMPORAL_ADDRESS: way.address } });
  cluster.model.enqueue([sseHead, chat.content('Hel'), hold('away'), chat.content('lo'), chat.finish(), done, end]);
  const { role, url } = await cluster.startServe();
  const id = await begin(url);
  await cluster.model.reached('away');
  way.close();
  await server.stop();
  cluster.model.release('away');
  await untilStatus(cluster, id, 'pending');
  await role.kill();
  assert.equal(receiver.deliveries.length, 0);
  way.leadTo(await serverOf(context, folder));
  await cluster.startServe();
  await untilStatus(cluster, id, 'delivered');
  assert.deepEqual(
    receiver.deliveries.map((delivery) => delivery.id),
    [eventIdOf(id)],
  );
});

test('two `serve` processes, one of them killed in the middle: an endpoint that accepts gets each event once', options, async () => {
  await using receiver = await startReceiver();
  const ids: string[] = [];
  await using cluster = await startCluster({ env: envOf(receiver), model: { fallback: () => chatAnswer('Hello') } });
  const [doomed, other] = [await cluster.startServe(), await cluster.startServe()];
  for (let at = 0; at < 10; at += 1) ids.push(await begin(at % 2 === 0 ? doomed.url : other.url));
  for (const id of ids) await untilStatus(cluster, id, 'delivered');
  const warnings = doomed.role.output.filter((line) => /"level":(?:[4-9]0)/.test(line));
  assert.deepEqual(warnings, [], 'all is well');
  await doomed.role.kill();
  for (let at = 0; at < 3; at += 1) ids.push(await begin(other.url));
  for (const id of ids) await untilStatus(cluster, id, 'delivered');
  assert.deepEqual(receiver.deliveries.map((delivery) => delivery.id).toSorted(), ids.map(eventIdOf).toSorted());
});

test('an endpoint with a certificate of one’s own authority is trusted where NODE_EXTRA_CA_CERTS says so', options, async (context) => {
  await using receiver = await startReceiver({ tls: selfSigned });
  const authority = join(folderOf(context), 'authority.pem');
  writeFileSync(authority, selfSigned.cert);
  const env = { ...envOf(receiver), NODE_EXTRA_CA_CERTS: authority };
  await using cluster = await startCluster({ env, model: { fallback: () => chatAnswer('Hello') } });
  const { url } = await cluster.startServe();
  const id = await begin(url);
  await untilStatus(cluster, id, 'delivered');
  assert.deepEqual(
    receiver.deliveries.map((delivery) => delivery.id),
    [eventIdOf(id)],
  );
});
