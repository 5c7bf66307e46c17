/** Each entry point can be imported alone, and only the worker's loads native code. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { entries, entryOf } from './entries.ts';

const script = `
import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  load(url, context, nextLoad) {
    loaded.add(url);
    return nextLoad(url, context);
  },
});
const names = Object.keys(await import(process.argv[1]));
const libraries = process.report.getReport().sharedObjects.filter((path) => path.endsWith('.node'));
console.log(JSON.stringify({ names, urls: [...loaded], libraries }));
process.exit(0);
`;

interface Loaded {
  readonly names: readonly string[];
  readonly urls: readonly string[];
  /** Native ones, by their paths. */
  readonly libraries: readonly string[];
}

function importAlone(path: string): Loaded {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script, pathToFileURL(path).href],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Loaded;
}

const isNative = (url: string): boolean => /@temporalio\/(core-bridge|worker)\//.test(url);

for (const { specifier, path } of entries.filter((entry) => entry.specifier !== 'turnkeep/worker')) {
  test(`${specifier} imports alone, and loads neither a native library nor Temporal's worker`, () => {
    const { names, urls, libraries } = importAlone(path);
    assert.ok(names.length > 0);
    assert.ok(urls.includes(pathToFileURL(path).href), 'the hook sees what is loaded');
    assert.deepEqual([urls.filter(isNative), libraries], [[], []]);
  });
}

test('turnkeep/worker does load them: what the tests above look for is what there is', () => {
  const { urls, libraries } = importAlone(entryOf('turnkeep/worker').path);
  assert.ok(urls.some((url) => url.includes('@temporalio/worker/')));
  assert.deepEqual(
    libraries.map((library) => /@temporalio\/core-bridge/.test(library)),
    [true],
  );
});
