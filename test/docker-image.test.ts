/** What of the image can be tested without Docker: its settings, its health check, what is left of the native libraries. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { readConfig } from '../src/config/read-config.ts';
import { folderOf } from './cli/folder.ts';
import { root } from './package/entries.ts';

const run = promisify(execFile);
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
const image = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));

test('the image listens for all, and does not start without keys, saying which variable is missing', () => {
  const env = Object.fromEntries(
    [...image.matchAll(/^ENV (.+)$/gm)].flatMap(([, pairs = '']) => pairs.split(' ').map((pair) => pair.split('=') as [string, string])),
  );
  assert.throws(() => readConfig({ env, cwd: '/app' }), /TURNKEEP_HOST is "0\.0\.0\.0".*: set TURNKEEP_API_KEYS to name:secret/s);
  const { host, dataDir } = readConfig({ env: { ...env, TURNKEEP_API_KEYS: 'me:secret' }, cwd: '/app' });
  assert.deepEqual([host, dataDir], ['0.0.0.0', '/data']);
});

test('the image has the licence, and what its steps copy is there', () => {
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  const copied = [...image.matchAll(/^COPY --from=build (.+) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '));
  assert.ok(copied.includes('/app/LICENSE'));
  for (const path of copied.filter((one) => !/\/(node_modules|dist)$/.test(one))) {
    const name = path.replace('/app/', '');
    assert.ok(!ignored.includes(name) && readdirSync(join(root, name, '..')).includes(name.split('/').at(-1) ?? ''), path);
  }
});

const bridge = createRequire(join(root, 'package.json')).resolve('@temporalio/core-bridge/common');
const { targets, getPrebuiltTargetName } = createRequire(import.meta.url)(bridge) as {
  readonly targets: readonly string[];
  readonly getPrebuiltTargetName: () => string;
};

function withReleases(context: TestContext, platforms: readonly string[]): { readonly folder: string; readonly releases: string } {
  const folder = folderOf(context);
  const target = join(folder, 'node_modules/@temporalio/core-bridge');
  const releases = join(target, 'releases');
  for (const platform of platforms) {
    mkdirSync(join(releases, platform), { recursive: true });
    writeFileSync(join(releases, platform, 'index.node'), platform);
  }
  copyFileSync(bridge, join(target, 'common.js'));
  writeFileSync(join(folder, 'package.json'), '{}');
  return { folder, releases };
}

test("of Temporal's native libraries that of this platform alone is left", async (context) => {
  const { folder, releases } = withReleases(context, targets);
  assert.ok(readdirSync(releases).length > 1);
  await run(process.execPath, [join(root, 'scripts/prune-native.ts'), folder]);
  assert.deepEqual(readdirSync(releases), [getPrebuiltTargetName()]);
  assert.equal(readFileSync(join(releases, getPrebuiltTargetName(), 'index.node'), 'utf8'), getPrebuiltTargetName());
});

test('where there is none for this platform, nothing is removed', async (context) => {
  const others = targets.filter((target) => target !== getPrebuiltTargetName());
  const { folder, releases } = withReleases(context, others);
  await assert.rejects(run(process.execPath, [join(root, 'scripts/prune-native.ts'), folder]));
  assert.deepEqual(readdirSync(releases).toSorted(), others.toSorted());
});

/** The exit code of the health check of a container that runs `command`. */
async function health(context: TestContext, command: string, env: NodeJS.ProcessEnv = {}): Promise<number> {
  const path = join(folderOf(context), 'cmdline');
  writeFileSync(path, `node\0bin/turnkeep.js\0${command}\0`);
  return run(process.execPath, [join(root, 'scripts/healthcheck.js'), path], { env }).then(
    () => 0,
    ({ code }: { code: number }) => code,
  );
}

test('a gateway is healthy when it says that it is ready', async (context) => {
  let status = 200;
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(status).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const port = String(address.port);
  assert.equal(await health(context, 'dev', { TURNKEEP_PORT: port }), 0);
  assert.equal(await health(context, 'worker', { TURNKEEP_METRICS_PORT: port }), 0);
  status = 503;
  assert.equal(await health(context, 'serve', { TURNKEEP_PORT: port }), 1);
  assert.deepEqual(asked, ['/readyz', '/healthz', '/readyz']);

  server.close();
  server.closeAllConnections();
  await once(server, 'close');
  assert.equal(await health(context, 'gateway', { TURNKEEP_PORT: port }), 1);
  assert.equal(await health(context, 'worker', { TURNKEEP_METRICS_PORT: port }), 1);
  assert.equal(await health(context, 'worker'), 0, 'it has no port: that it runs is all there is to know');
});
