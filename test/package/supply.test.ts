/** What turnkeep ships with: its bill of materials, and what the registry knows of it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { root } from './entries.ts';

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function runScript(script: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, [`scripts/${script}`, ...args], { cwd: root, env: { ...process.env, ...env } });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.on('data', (data) => out.push(String(data)));
  child.stderr.on('data', (data) => err.push(String(data)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: out.join(''), stderr: err.join('') };
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-supply-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('the bill of materials has each package that is shipped, with its hash, none of development alone, and is the same each time', async (t) => {
  const folder = temporaryFolder(t);
  const made = await Promise.all(
    ['one.json', 'two.json'].map(async (name) => {
      const { code, stderr } = await runScript('sbom.ts', [join(folder, name)]);
      assert.equal(code, 0, stderr);
      return readFileSync(join(folder, name), 'utf8');
    }),
  );
  assert.equal(made[0], made[1]);
  const bom = JSON.parse(made[0] ?? '') as {
    bomFormat: string;
    metadata: { component: { name: string; version: string } };
    components: { 'bom-ref': string; purl: string; scope: string; hashes: { content: string }[] }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  const { name, version, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    dependencies: { [name: string]: string };
  };
  assert.equal(bom.bomFormat, 'CycloneDX');
  assert.deepEqual([bom.metadata.component.name, bom.metadata.component.version], [name, version]);
  const refs = new Set(bom.components.map((component) => component['bom-ref']));
  for (const [dependency, wanted] of Object.entries(dependencies)) assert.ok(refs.has(`${dependency}@${wanted}`), dependency);
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: { [path: string]: { name?: string; version: string; dev?: boolean; integrity?: string } };
  };
  const expected = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true);
  assert.ok(expected.length > 100);
  for (const [path, entry] of expected) {
    const ref = `${entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${entry.version}`;
    const component = bom.components.find((each) => each['bom-ref'] === ref);
    assert.ok(component, ref);
    const hash = Buffer.from(entry.integrity?.replace('sha512-', '') ?? '', 'base64').toString('hex');
    assert.equal(component.hashes[0]?.content, hash, ref);
  }
  for (const development of ['typescript', 'oxlint', 'vite', '@openai/agents'])
    assert.ok(![...refs].some((ref) => ref.startsWith(`${development}@`)), development);
  for (const { ref, dependsOn } of bom.dependencies)
    for (const each of dependsOn) assert.ok(refs.has(each), `${ref} depends on ${each}, which is not in it`);
});

/** `check:supply` with a registry that answers as told. */
async function checkWith(t: TestContext, listener: RequestListener): Promise<Ended> {
  const registry = createServer(listener);
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  t.after(() => registry.close());
  const address = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
  const cache = temporaryFolder(t);
  return runScript('check-supply.ts', [], { npm_config_registry: address, npm_config_cache: cache });
}

const advisories = '/-/npm/v1/security/advisories/bulk';

test('a known vulnerability of what is shipped is named, with its advisory, and fails the check', async (t) => {
  const advisory = {
    id: 1,
    url: 'https://advisories.test/1',
    title: 'reads what it should not',
    severity: 'high',
    vulnerable_versions: '*',
  };
  const { code, stderr } = await checkWith(t, (request, response) => {
    if (request.url === advisories)
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ hono: [advisory] }));
    else response.writeHead(404).end('{}');
  });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^ {2}hono: high, reads what it should not \(https:\/\/advisories\.test\/1\)$/m);
});

test('a registry that cannot be asked is said to be that, with another exit code than that of a clean bill', async (t) => {
  const { code, stdout, stderr } = await checkWith(t, (_request, response) => response.writeHead(405).end());
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(stderr, /NOT CHECKED: known vulnerabilities of what is shipped \(npm audit --omit=dev\): 405 Method Not Allowed/);
  assert.match(stderr, /NOT CHECKED: signatures of what is installed/);
});

test('where nothing is known, this is said of what was asked', async (t) => {
  const { stdout } = await checkWith(t, (request, response) => {
    if (request.url === advisories) response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    else response.writeHead(404).end('{}');
  });
  assert.match(stdout, /nothing wrong: known vulnerabilities of what is shipped/);
});
