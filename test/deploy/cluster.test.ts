/** The processes of docker-compose.yml, as `npm run cluster` starts them: any replica serves any turn, and none is needed. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import OpenAI from 'openai';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { chat, done, end, hold, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { containerCommand, readServices } from '../support/cluster/compose-file.ts';
import { type Cluster, localSettings, startCluster } from '../support/cluster/start.ts';
import { startPatientModel } from '../support/patient-model.ts';
import { Role } from '../support/processes.ts';
import { needNginx, needPostgres } from '../support/programs.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';

const words = ['one ', 'two ', 'three ', 'four'];
const heldAnswer: Script = [sseHead, ...words.flatMap((word) => [chat.content(word), hold(word)]), chat.finish(), done, end];

const settings = { OPENAI_API_KEY: 'sk-cluster', TURNKEEP_MODEL_API: 'chat', TURNKEEP_HEARTBEAT_TIMEOUT_MS: '3000' };

async function open(t: TestContext, options: Parameters<typeof startCluster>[0] = {}): Promise<Cluster | undefined> {
  if ((await needNginx(t)) === undefined || (await needPostgres(t)) === undefined) return undefined;
  return startCluster(options);
}

function watch(cluster: Cluster, url: string, id: string, startingAfter?: number): Promise<Viewer> {
  const after = startingAfter === undefined ? '' : `&starting_after=${startingAfter}`;
  return Viewer.open(`${url}/v1/responses/${id}?stream=true${after}`, { headers: { authorization: `Bearer ${cluster.apiKey}` } });
}

test('T7 · a gateway is killed in mid-stream of a turn that a worker runs: its viewer goes on at the other, with the same bytes', async (t) => {
  await using model = await startPatientModel({ fallback: heldAnswer });
  // The lone worker has the model; so whichever gateway dies, the turn goes on.
  await using cluster = await open(t, { replicas: 0, gateways: 2, workers: 1, env: { ...settings, OPENAI_BASE_URL: model.baseUrl } });
  if (cluster === undefined) return;
  const client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: cluster.apiKey, maxRetries: 0 });
  const stream = await client.responses.create({ model: 'scripted', input: 'hi', stream: true });
  const seen: ResponseStreamEvent[] = [];
  const iterator = stream[Symbol.asyncIterator]();
  const text = (): string => seen.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');
  const next = async (): Promise<void> => {
    const { done: isOver, value } = await iterator.next();
    assert.ok(!isOver && value !== undefined);
    seen.push(value);
  };
  while (text() !== 'one ') await next();
  model.release('one ');
  while (text() !== 'one two ') await next();

  const [first] = seen;
  assert.ok(first?.type === 'response.created');
  const { id } = first.response;
  const serving = await busyGateway(cluster);
  await serving.kill();
  await assert.rejects(async () => {
    for (;;) await next();
  });

  const rest = await watch(cluster, cluster.url, id, seen.at(-1)?.sequence_number);
  for (const word of words) model.release(word);
  await rest.ended;
  assert.deepEqual([rest.isDone, rest.last.response.status], [true, 'completed']);
  assert.equal(model.requests.length, 1, 'nothing is asked twice');
  await serving.restart();
  for (const { url } of cluster.gateways) {
    const replay = await watch(cluster, url, id);
    await replay.ended;
    assert.equal(replay.text, words.join(''));
    assert.deepEqual(replay.events.slice(0, seen.length), seen, 'what was seen before the kill');
    assert.deepEqual(replay.data.slice(seen.length), rest.data, 'and behind it');
  }
});

/** The one that has the stream. */
async function busyGateway({ gateways }: Cluster): Promise<Cluster['gateways'][number]> {
  for (const gateway of gateways) {
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    if (/^turnkeep_viewers 1$/m.test(metrics)) return gateway;
  }
  throw new Error('no gateway has a viewer');
}

test('T2, T7 · the replica that asks the model is killed: its turn ends as worker_lost, alike for viewers of the other and by nginx', async (t) => {
  await using model = await startPatientModel({ fallback: heldAnswer });
  await using cluster = await open(t, { replicas: 2, workers: 0, env: { ...settings, OPENAI_BASE_URL: model.baseUrl } });
  if (cluster === undefined) return;
  const [runner, other] = cluster.replicas;
  assert.ok(runner !== undefined && other !== undefined);
  // With its head start a turn runs where it was taken in.
  const poster = await Viewer.say(runner.url, 'hi', { model: 'scripted' }, { authorization: `Bearer ${cluster.apiKey}` });
  await poster.untilText('one ');
  const viewer = await watch(cluster, other.url, poster.id);
  await viewer.untilText('one ');
  await runner.kill();
  await viewer.ended;
  assert.deepEqual([viewer.isDone, viewer.last.response.status, viewer.text], [true, 'failed', 'one ']);
  assert.equal(viewer.last.response.error?.code, 'worker_lost');
  const replay = await watch(cluster, cluster.url, poster.id);
  await replay.ended;
  assert.deepEqual(replay.data, viewer.data);
  assert.equal(model.requests.length, 1, 'nothing is asked twice');
});

test('without a key the demo model answers, through nginx and by each replica', async (t) => {
  await using cluster = await open(t);
  if (cluster === undefined) return;
  assert.deepEqual(
    cluster.processes.map(({ name }) => name),
    ['temporal', 'demo-model', 'postgres', 'serve-1', 'serve-2', 'worker-1', 'nginx'].filter(
      (name) => cluster.postgres !== undefined || name !== 'postgres',
    ),
  );
  for (const url of [cluster.url, ...cluster.replicas.map((replica) => replica.url)]) {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: cluster.apiKey, maxRetries: 0 });
    const { output_text: text } = await client.responses.create({ model: 'demo', input: 'hi' });
    assert.match(text, /turnkeep's demo model/);
  }
  const closed = await fetch(`${cluster.url}/metrics`);
  assert.equal(closed.status, 404, 'those of one replica, another one each time');
  const anonymous = await fetch(`${cluster.url}/v1/models`);
  assert.equal(anonymous.status, 401);

  // Half of what comes would meet a dead replica: nginx asks the other one.
  await cluster.replicas[0]?.kill();
  const headers = { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' };
  for (let asked = 0; asked < 6; asked += 1) {
    const response = await fetch(`${cluster.url}/v1/responses`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ model: 'demo', input: 'hi', background: true }),
    });
    assert.equal(response.status, 200, await response.text());
  }
  await cluster.replicas[1]?.kill();
  const nobody = await fetch(`${cluster.url}/v1/models`, { headers });
  assert.equal(nobody.status, 503);
  assert.equal(nobody.headers.get('retry-after'), '1');
  assert.equal(((await nobody.json()) as { error: { code: string } }).error.code, 'gateway_unavailable');

  await cluster.replicas[0]?.restart();
  // nginx leaves out for a while whom it found dead.
  await until(async () => (await fetch(`${cluster.url}/v1/models`, { headers })).ok);
  await cluster.stop();
  assert.deepEqual(
    cluster.processes.filter(({ isRunning }) => isRunning),
    [],
  );
  assert.deepEqual(
    [...cluster.replicas.slice(0, 1), ...cluster.workers].map((one) => one.end),
    [0, 0],
    'they drained',
  );
});

test('each process has the command and the environment of its container, but for what a machine of its own gives it', async (t) => {
  const env = { ...settings, OPENAI_BASE_URL: 'http://127.0.0.1:9/v1', TURNKEEP_MODEL: 'scripted' };
  await using cluster = await open(t, { replicas: 1, workers: 1, env });
  if (cluster === undefined) return;
  const services = readServices({ ...env, TURNKEEP_API_KEYS: `cluster:${cluster.apiKey}`, POSTGRES_PASSWORD: 'password' });
  const own = new Set([...Object.keys(localSettings({ isWorker: false, port: 0, dataDir: '' })), 'TURNKEEP_METRICS_PORT']);
  for (const { pid, name } of [...cluster.replicas, ...cluster.workers]) {
    const { command, environment } = containerCommand(name.replace(/-\d+$/, ''), services);
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(1, -1);
    assert.deepEqual(args, command.slice(1), name);
    const given = Object.fromEntries(
      readFileSync(`/proc/${pid}/environ`, 'utf8')
        .split('\0')
        .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
    const expected: Readonly<Record<string, string>> = {
      ...env,
      ...environment,
      TEMPORAL_ADDRESS: cluster.temporalAddress,
      DATABASE_URL: cluster.databaseUrl,
    };
    for (const [variable, value] of Object.entries(expected)) {
      if (!own.has(variable)) assert.equal(given[variable], value, `${name}: ${variable}`);
    }
    const known = new Set<string>([...Object.keys(expected), ...own, 'PATH', 'HOME', 'POSTGRES_PASSWORD', 'TURNKEEP_API_KEYS', '']);
    assert.deepEqual(
      Object.keys(given).filter((variable) => !known.has(variable)),
      [],
      name,
    );
  }
});

test('npm run cluster says where everything is, and Ctrl-C stops all of it', async (t) => {
  if ((await needNginx(t)) === undefined || (await needPostgres(t)) === undefined) return;
  const args = ['--replicas', '1', '--workers', '0', '--port', '0'];
  const role = new Role(args, process.env, 'pipe', 'scripts/cluster.ts');
  t.after(() => role.kill());
  const [, url = ''] = await role.says(/API +(http:\S+), by nginx/);
  const [, list = ''] = await role.says(/Processes (.*)/);
  await role.says(/Ctrl-C stops it/);
  assert.equal((await fetch(`${url}/models`, { headers: { authorization: 'Bearer key-of-the-cluster' } })).status, 200);
  const pids = [...list.matchAll(/ (\d+)/g)].map(([, pid]) => Number(pid));
  assert.equal(pids.length, 5);
  const areThere = (): number => pids.filter((pid) => existsSync(`/proc/${pid}`)).length;
  assert.equal(areThere(), 5);
  role.signal('SIGINT');
  assert.equal(await role.ended(), 0);
  assert.equal(areThere(), 0);
});
