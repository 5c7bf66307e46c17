/** The workflow code is made once: kept beside Temporal's CLI in a checkout, ready made in the package. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { bundleWorkflows } from '../../src/roles/workflow-bundle.ts';
import { folderOf } from '../cli/folder.ts';
import { root } from './entries.ts';

const plain = { codecKeys: [] };
const encrypted = { codecKeys: [{ id: 'a', key: new Uint8Array(32) }] };

/** A cache with the one bundle in it. */
async function filledCache(context: TestContext) {
  const cacheFolder = join(folderOf(context), 'cache');
  const { code } = await bundleWorkflows(plain, { cacheFolder });
  const files = readdirSync(cacheFolder);
  assert.equal(files.length, 1);
  return { cacheFolder, code, path: join(cacheFolder, files[0] ?? '') };
}

const script = `
import { createHash } from 'node:crypto';
import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  load(url, context, nextLoad) {
    loaded.add(url);
    return nextLoad(url, context);
  },
});
const { bundleWorkflows } = await import(process.argv[1]);
const { code } = await bundleWorkflows({ codecKeys: [] }, { cacheFolder: process.argv[2] });
const libraries = process.report.getReport().sharedObjects.filter((path) => path.endsWith('.node'));
console.log(JSON.stringify({ hash: createHash('sha256').update(code).digest('hex'), loaded: [...loaded, ...libraries] }));
process.exit(0);
`;

/** In a process of its own. */
function bundleAlone(module: string, ...cacheFolder: readonly string[]): { readonly hash: string; readonly bundlers: readonly string[] } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, module, ...cacheFolder], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  assert.equal(status, 0, stderr);
  const { hash, loaded } = JSON.parse(stdout) as { hash: string; loaded: readonly string[] };
  // The SDK always loads webpack's index and its memory, which load nothing but what is asked for.
  const bundlers = loaded.filter(
    (path) => /\/(@swc|swc-loader|webpack)\//.test(path) && !/\/webpack\/lib\/(index|util\/memoize)\.js$/.test(path),
  );
  return { hash, bundlers };
}

test('a bundle that is kept is found by another process, which loads no bundler', (context) => {
  const cacheFolder = join(folderOf(context), 'deep', 'cache');
  const module = join(root, 'src/roles/workflow-bundle.ts');
  const first = bundleAlone(module, cacheFolder);
  assert.ok(first.bundlers.some((path) => path.endsWith('/webpack/lib/webpack.js')));
  assert.ok(first.bundlers.some((path) => path.includes('/@swc/')));
  const second = bundleAlone(module, cacheFolder);
  assert.deepEqual(second.bundlers, []);
  assert.equal(second.hash, first.hash, 'the same bytes');
});

test('the built package brings its bundles, readable for all, and loads no bundler', (context) => {
  // Below the checkout, where its dependencies are found.
  const built = mkdtempSync(join(root, 'node_modules/.cache-built-'));
  context.after(() => rmSync(built, { recursive: true, force: true }));
  const dist = join(built, 'dist');
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', dist], {
    cwd: root,
  });
  execFileSync(process.execPath, ['scripts/ship-bundles.ts', dist], { cwd: root });
  const files = readdirSync(join(dist, 'workflow-bundles'));
  assert.deepEqual(
    files.map((file) => file.replace(/-[0-9a-f]{32}\.js$/, '')),
    ['workflows-encrypted', 'workflows-plain'],
  );
  for (const file of files) assert.equal(statSync(join(dist, 'workflow-bundles', file)).mode & 0o444, 0o444);
  assert.deepEqual(bundleAlone(join(dist, 'roles/workflow-bundle.js')).bundlers, []);
});

test('a bundle with codec keys is another, and both are kept', async (context) => {
  const { cacheFolder, code } = await filledCache(context);
  const other = await bundleWorkflows(encrypted, { cacheFolder });
  const own = './src/codec/failure-converter.ts';
  assert.ok(!code.includes(own) && other.code.includes(own));
  assert.equal(readdirSync(cacheFolder).length, 2);
});

for (const [how, breakIt] of [
  ['was cut', (path: string) => writeFileSync(path, readFileSync(path, 'utf8').slice(0, 1_000))],
  ['was changed', (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace('function agentTurn(', 'function agentturn('))],
  ['is empty', (path: string) => writeFileSync(path, '')],
] as const) {
  test(`a kept bundle that ${how} is made again, and mended`, async (context) => {
    const { cacheFolder, code, path } = await filledCache(context);
    const whole = readFileSync(path, 'utf8');
    breakIt(path);
    assert.ok((await bundleWorkflows(plain, { cacheFolder })).code === code);
    assert.ok(readFileSync(path, 'utf8') === whole);
  });
}

test('where nothing can be kept the bundle is made each time', async (context) => {
  const { code, cacheFolder, path } = await filledCache(context);
  for (const unusable of [join(path, 'below a file'), undefined]) {
    assert.ok((await bundleWorkflows(plain, { cacheFolder: unusable })).code === code);
  }
  // A directory in the place of the file.
  const blocked = join(folderOf(context), 'cache');
  mkdirSync(join(blocked, path.slice(cacheFolder.length + 1)), { recursive: true });
  assert.ok((await bundleWorkflows(plain, { cacheFolder: blocked })).code === code);
});

test('a cache that others may write into is neither read nor written', async (context) => {
  const { cacheFolder, code, path } = await filledCache(context);
  chmodSync(cacheFolder, 0o777);
  // As good as its hash says, and yet not ours.
  const forged = code.replace('function agentTurn(', 'function agentturn(');
  writeFileSync(path, `// sha256 ${createHash('sha256').update(forged).digest('hex')}\n${forged}`);
  assert.ok((await bundleWorkflows(plain, { cacheFolder })).code === code);
  await bundleWorkflows(encrypted, { cacheFolder });
  assert.equal(readdirSync(cacheFolder).length, 1);
});

test('of older sources no more than a few bundles are kept', async (context) => {
  const cacheFolder = folderOf(context);
  for (let i = 0; i < 20; i++) writeFileSync(join(cacheFolder, `workflows-plain-${i}.js`), 'old');
  writeFileSync(join(cacheFolder, 'temporal-1.9.1'), "somebody else's");
  await bundleWorkflows(plain, { cacheFolder });
  const files = readdirSync(cacheFolder);
  assert.equal(files.filter((file) => file.startsWith('workflows-')).length, 8);
  assert.ok(files.includes('temporal-1.9.1'));
});

for (const [name, config] of [
  ['plain', plain],
  ['encrypted', encrypted],
] as const) {
  test(`the ${name} bundle is made of the folders that its key reads, and says nothing of where they lie`, async () => {
    const { code } = await bundleWorkflows(config);
    const map = Buffer.from(code.slice(code.lastIndexOf('base64,') + 'base64,'.length), 'base64').toString();
    const { sources } = JSON.parse(map) as { readonly sources: readonly string[] };
    const own = sources.filter((source) => source.startsWith('./src/') && !source.endsWith('-autogenerated-entrypoint.cjs'));
    assert.ok(own.length > 5);
    assert.deepEqual(
      own.filter((source) => !/^\.\/src\/(codec|contract|domain|workflows)\/[\w/-]+\.ts$/.test(source)),
      [],
    );
    const sdk = new Set(sources.flatMap((source) => /node_modules\/(@temporalio\/[^/]+)/.exec(source)?.[1] ?? []));
    assert.deepEqual(
      [...sdk].toSorted(),
      ['@temporalio/common', '@temporalio/workflow'],
      'whose versions are in the key, with the bundler',
    );
    assert.ok(!code.includes(root) && !map.includes(root));
  });
}
