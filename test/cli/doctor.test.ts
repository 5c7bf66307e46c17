/** `turnkeep doctor` beside a running turnkeep, and of things that are wrong. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireCodecKey } from '../../src/roles/codec-key.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import { httpError, httpResponse, type ModelServerOptions } from '../../src/testing/model-server/index.ts';
import type { Finding } from '../../src/store/ports/diagnosis.ts';
import { until } from '../support/until.ts';
import { World, type WorldOptions } from '../support/world.ts';
import { folderOf } from './folder.ts';
import { turnkeep } from './run-turnkeep.ts';

const options = { timeout: 120_000 };
const key = Buffer.alloc(32, 7).toString('base64');
const other = Buffer.alloc(32, 9).toString('base64');

interface Report {
  readonly code: number;
  readonly faults: number;
  readonly findings: ReadonlyMap<string, Finding>;
}

function flagsOf({ config }: World): readonly string[] {
  const { temporal, provider, databaseUrl, dataDir, taskQueue } = config;
  const flags = { 'temporal-address': temporal.address, 'temporal-namespace': temporal.namespace, 'database-url': databaseUrl };
  const more = { 'data-dir': dataDir, 'task-queue': taskQueue, 'openai-base-url': provider.baseUrl, 'openai-api-key': provider.apiKey };
  return Object.entries({ ...flags, ...more }).flatMap(([flag, value]) => [`--${flag}`, value ?? '']);
}

/** Every finding that is not well has a way out; no secret is told. */
async function doctor(...args: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await turnkeep('doctor', '--json', ...args);
  assert.equal(stderr, '');
  assert.doesNotMatch(stdout, /sk-story/);
  const { faults, findings } = JSON.parse(stdout) as { faults: number; findings: readonly Finding[] };
  for (const each of findings) assert.equal(each.mend !== undefined, /^(?:warning|fault)$/.test(each.status), JSON.stringify(each));
  assert.equal(code, faults > 0 ? 1 : 0);
  return { code, faults, findings: new Map(findings.map((each) => [each.check, each])) };
}

const models = (reply: NonNullable<ModelServerOptions['models']>): WorldOptions => ({
  hasWorker: false,
  hasGateway: false,
  model: () => ({ models: reply }),
});

test('beside a turnkeep that works there are no faults, and a line says what was seen of each thing', options, async () => {
  await using world = await World.open();
  await world.hear('hi');
  const flags = flagsOf(world);
  // Temporal's list of runs is a moment behind.
  await until(async () => /newest run/.test((await doctor(...flags)).findings.get('codec keys')?.seen ?? ''));
  const { findings, faults } = await doctor(...flags, '--model', 'scripted');
  assert.equal(faults, 0);
  const seen = (check: string): string => `${findings.get(check)?.status} ${findings.get(check)?.seen}`;
  assert.match(seen('versions'), /^ok turnkeep \S+ on Node \d+\.\d+\.\d+/);
  assert.match(seen('temporal'), /^ok 127\.0\.0\.1:\d+ answers in \d+ ms: server \d+\.\d+\.\d+, \w+, 1 shard; this SDK is \d+\.\d+/);
  assert.match(seen('push of cancels'), /^ok /);
  assert.match(seen('dynamic config'), /^unknown .* cannot be seen from here/);
  assert.match(seen('workers'), /^ok 1 worker polls story-\S+ in namespace default; 0 tasks wait$/);
  assert.match(seen('clock'), /^ok Temporal's clock is this machine's, to \d+ ms$/);
  assert.match(seen('database schema'), /^ok \d+$/);
  assert.match(seen('database writes'), /^ok /);
  assert.equal(findings.has('provider model'), false);

  const { code, stdout } = await turnkeep('doctor', ...flags, '--model', 'larger');
  assert.equal(code, 0);
  assert.match(stdout, /^ok {7}versions: turnkeep /);
  assert.match(stdout, /\nwarning {2}provider model: \S+ does not list TURNKEEP_MODEL, "larger"\n {9}to mend: name one of those/);
  assert.match(stdout, /\n0 faults, \d warnings?\n$/);
});

test('no worker, no namespace, no Temporal, no provider: faults, each with its way out, and exit code 1', options, async (context) => {
  await using world = await World.open({ hasWorker: false, hasGateway: false });
  const flags = flagsOf(world);
  const alone = await doctor(...flags);
  assert.match(alone.findings.get('workers')?.seen ?? '', /^no worker polls story-\S+ in namespace default: turns wait$/);
  const elsewhere = await doctor(...flags, '--temporal-namespace', 'nobody');
  assert.deepEqual(elsewhere.findings.get('namespace'), {
    check: 'namespace',
    status: 'fault',
    seen: 'there is no namespace nobody',
    mend: `name one that there is with TEMPORAL_NAMESPACE, or make it: temporal operator namespace create --address ${world.config.temporal.address} -n nobody --retention 30d`,
  });
  const nothing = await doctor('--data-dir', folderOf(context), '--temporal-address', '127.0.0.1:1');
  assert.match(nothing.findings.get('temporal')?.seen ?? '', /^127\.0\.0\.1:1: nothing listens there/);
  assert.equal(nothing.findings.get('provider')?.status, 'fault');
  const unset = await doctor('--data-dir', folderOf(context));
  assert.match(unset.findings.get('temporal')?.seen ?? '', /^TEMPORAL_ADDRESS is not set, and no turnkeep dev runs on/);
  assert.equal((await turnkeep('doctor', '--port', 'many')).code, 2);
});

test('keys of the codec: the newest run is tried with them', options, async () => {
  await using world = await World.open({ config: { codecKeys: [{ id: 'a', key: Buffer.from(key, 'base64') }] } });
  await world.hear('hi');
  const flags = flagsOf(world);
  const look = async (...keys: readonly string[]): Promise<Finding | undefined> => {
    const { findings } = await doctor(...flags, ...(keys.length === 0 ? [] : ['--codec-keys', keys.join(',')]));
    return findings.get('codec keys');
  };
  await until(async () => (await look())?.status === 'fault');
  assert.match((await look())?.seen ?? '', /the newest run is encrypted, and TURNKEEP_CODEC_KEYS is not set here/);
  assert.match((await look(`b:${other}`))?.seen ?? '', /encrypted with the key "a", which TURNKEEP_CODEC_KEYS does not have/);
  assert.match((await look(`a:${other}`))?.seen ?? '', /the key "a" of TURNKEEP_CODEC_KEYS does not decrypt a history/);
  assert.deepEqual((await look(`b:${other}`, `a:${key}`))?.seen, 'b, a, of which b encrypts; the newest run can be read');
});

test(
  'no process starts without the codec key that the database has in use: a fault with the words of the start',
  options,
  async (context) => {
    const path = join(folderOf(context), 'turnkeep.db');
    const flags = ['--database-url', `sqlite:${path}`, '--temporal-address', '127.0.0.1:1'];
    const look = async (...keys: readonly string[]): Promise<Finding | undefined> => {
      const { findings } = await doctor(...flags, ...(keys.length === 0 ? [] : ['--codec-keys', keys.join(',')]));
      return findings.get('codec key in use');
    };
    const none = { check: 'codec key in use', status: 'ok', seen: 'the database knows of none' };
    assert.deepEqual(await look(), none);
    assert.equal(existsSync(path), false);
    const store = openSqliteStore(path);
    context.after(async () => store.close());
    await requireCodecKey(store, [{ id: 'a', key: Buffer.from(key, 'base64') }]);
    for (const keys of [[], [`a:${other}`], [`b:${other}`]]) {
      const found = await look(...keys);
      const refused = requireCodecKey(
        store,
        keys.map((each) => ({ id: each.slice(0, 1), key: Buffer.from(other, 'base64') })),
      );
      assert.equal(found?.status, 'fault');
      await assert.rejects(refused, { message: `${found.seen}: ${found.mend}.` });
    }
    assert.match((await look())?.seen ?? '', /^what Temporal stores is encrypted with the key "a", and TURNKEEP_CODEC_KEYS is unset$/);
    assert.deepEqual(await look(`b:${other}`, `a:${key}`), { check: 'codec key in use', status: 'ok', seen: 'a, which is set' });
    assert.equal((await look(`b:${other}`))?.status, 'fault', 'nothing was changed by looking');
    await store.forgetCodecKey();
    assert.deepEqual(await look(), none);
  },
);

test('a provider is asked for its models alone: whether it is there, and takes the key, as far as that can be seen', options, async () => {
  for (const [reply, status, seen] of [
    [httpError(401, { error: { message: 'no', code: 'invalid_api_key' } }), 'fault', /401 invalid_api_key/],
    [httpError(404, {}), 'unknown', /answers, and lists no models/],
    [httpError(500, {}), 'fault', /500/],
    [httpResponse(200, '<html>', { 'content-type': 'text/html' }), 'fault', /does not speak the expected API/],
  ] as const) {
    await using world = await World.open(models(reply));
    const { findings } = await doctor(...flagsOf(world));
    const found = findings.get('provider');
    assert.equal(found?.status, status, JSON.stringify(found));
    assert.match(found?.seen ?? '', seen);
    assert.ok(world.model.requests.length > 0);
    assert.deepEqual(new Set(world.model.requests.map(({ method, path }) => `${method} ${path}`)), new Set(['GET /v1/models']));
  }
});

test('workers of a version that is not the current one: nothing would run, and the way out is told', options, async () => {
  const deployment = { name: `turnkeep-${crypto.randomUUID()}`, version: '2' };
  await using world = await World.open({ hasGateway: false, config: { deployment } });
  const flags = flagsOf(world);
  const stuck = (await doctor(...flags)).findings.get('version');
  assert.equal(stuck?.seen, `runs begin with workers without a version; there are workers of ${deployment.name}:2: turns wait`);
  assert.match(
    stuck.mend ?? '',
    new RegExp(
      `^temporal worker deployment set-current-version --address \\S+ -n \\S+ -y --deployment-name ${deployment.name} --build-id 2`,
    ),
  );
  const { namespace } = world.config.temporal;
  await until(async () =>
    world.temporal.connection.workflowService
      .setWorkerDeploymentCurrentVersion({ namespace, deploymentName: deployment.name, buildId: '2' })
      .then(() => true)
      .catch(() => false),
  );
  await until(async () => (await doctor(...flags)).findings.get('version')?.status === 'ok');
});
