/** What of the package is safe in a bundle: of Temporal's sandbox, and of a browser. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundleWorkflowCode } from '@temporalio/worker';
import { build } from 'esbuild';
import { entryOf, root } from './entries.ts';

/** Of the HTTP client, minified. */
const httpClientLimitBytes = 12_288;

const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

test("turnkeep/workflow is safe in the bundle of somebody's own workflows: Temporal's bundler finds no module that its sandbox forbids", async (t) => {
  const folder = mkdtempSync(join(root, 'node_modules/.cache-bundle-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const workflowsPath = join(folder, 'workflows.ts');
  const own = `export { agentTurn, runTurn, title } from ${JSON.stringify(entryOf('turnkeep/workflow').path)};\nexport async function own() {}\n`;
  writeFileSync(workflowsPath, own);
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: silent });
  for (const name of ['agentTurn', 'runTurn', 'title', 'own']) assert.match(code, new RegExp(`function ${name}\\(`));

  for (const [specifier, complaint] of [
    ['fs', /disallowed modules:\n {2}- 'fs'/],
    ['node:fs', /Webpack finished with errors/],
  ] as const) {
    writeFileSync(workflowsPath, `${own}export { readFile } from '${specifier}';\n`);
    await assert.rejects(bundleWorkflowCode({ workflowsPath, logger: silent }), complaint);
  }
});

test('turnkeep/http-client is safe in the bundle of a browser: no module of Node, one package, and small', async () => {
  const { path } = entryOf('turnkeep/http-client');
  const { metafile, outputFiles } = await build({
    entryPoints: [path],
    absWorkingDir: root,
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2023',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const inputs = Object.keys(metafile.inputs);
  const strangers = inputs.filter((input) => !/^src\/http-client(\/|\.ts$)|^node_modules\/eventsource-parser\//.test(input));
  assert.deepEqual(strangers, []);
  const imported = Object.values(metafile.inputs).flatMap((input) => input.imports.map((one) => one.path));
  assert.deepEqual(
    imported.filter((one) => one.startsWith('node:') || builtinModules.includes(one)),
    [],
  );
  const bytes = outputFiles[0]?.contents.length ?? Infinity;
  assert.ok(bytes <= httpClientLimitBytes, `${bytes} bytes`);
});
