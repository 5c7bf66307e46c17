/** The tarball that is published, in an empty project of JavaScript and one of TypeScript: no checkout beside it. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { modelStory, says, startModelServer } from '../../src/testing.ts';
import { sharedTemporalServer, testTemporalProgram } from '../support/temporal-server.ts';
import { until } from '../support/until.ts';
import { within } from '../support/within.ts';
import { root } from './entries.ts';
import names from './exported-names.json' with { type: 'json' };

const folder = mkdtempSync(join(tmpdir(), 'turnkeep-package-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const bin = join(root, 'node_modules/.bin');
let tarball = '';

/** As `npm run build` and `npm pack` do, beside the checkout. */
before(() => {
  const source = join(folder, 'source');
  mkdirSync(source);
  for (const name of ['bin', 'CHANGELOG.md', 'README.md', 'LICENSE', 'package.json'])
    cpSync(join(root, name), join(source, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(source, 'node_modules'));
  run(join(bin, 'tsc'), ['-p', 'tsconfig.build.json', '--outDir', join(source, 'dist')], root);
  run(process.execPath, ['scripts/ship-bundles.ts', join(source, 'dist')], root);
  run(process.execPath, ['scripts/build-page.ts', join(source, 'dist/web')], root);
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--offline'], source)) as { readonly filename: string }[];
  tarball = join(source, packed?.filename ?? '');
});

/** Its packages are those of the checkout: nothing is fetched. */
function newProject(name: string, files: Readonly<Record<string, string>>): string {
  const project = join(folder, name);
  const modules = join(project, 'node_modules');
  mkdirSync(modules, { recursive: true });
  for (const entry of readdirSync(join(root, 'node_modules'))) {
    if (!entry.startsWith('.')) symlinkSync(join(root, 'node_modules', entry), join(modules, entry));
  }
  mkdirSync(join(modules, 'turnkeep'));
  run('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'turnkeep')], project);
  for (const [path, text] of Object.entries(files)) writeFileSync(join(project, path), text);
  return project;
}

/** @returns what it printed */
function run(program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): string {
  try {
    return execFileSync(program, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`${program} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error });
  }
}

const workflows = `
import { runTurn } from 'turnkeep/workflow';

export async function research(topics) {
  const found = await Promise.all(topics.map((topic) => runTurn({ agent: 'researcher', input: topic })));
  const { outputText } = await runTurn({ agent: 'writer', input: found.map((turn) => turn.outputText).join(', ') });
  return outputText;
}
`;

const main = `
import { createRequire } from 'node:module';
import { defineConfig, defineTool } from 'turnkeep/config';
import { calls, createTestEnvironment, modelStory, says } from 'turnkeep/testing';
import { z } from 'zod';
import { research } from './workflows.js';

const lookUp = defineTool({ description: 'Looks a word up.', input: z.object({ word: z.string() }), run: ({ word }) => word.toUpperCase() });
const config = defineConfig({
  tools: { lookUp },
  agents: { researcher: { model: 'scripted', tools: ['lookUp'] }, writer: { model: 'scripted' } },
});
const story = modelStory()
  .whenTold('moss is soft, fern is old', says('Moss and fern.'))
  .whenTold('moss', calls({ name: 'lookUp', arguments: { word: 'moss' } }), says('moss is soft'))
  .whenTold('fern', says('fern is old'));
const [address, namespace] = [process.env.TEMPORAL_ADDRESS ?? '', process.env.TEMPORAL_NAMESPACE ?? ''];
{
  await using environment = await createTestEnvironment({ config, model: { fallback: story.reply }, temporal: { address, namespace } });
  const workflowsPath = createRequire(import.meta.url).resolve('./workflows.js');
  const taskQueue = 'own-' + crypto.randomUUID();
  await environment.startWorker({ workflowsPath, taskQueue });
  const args = [['moss', 'fern']];
  console.log(await environment.temporal.workflow.execute(research, { workflowId: taskQueue, taskQueue, args }));
  await environment.assertReplays(taskQueue);
}
process.exit(0);
`;

const timeout = 240_000;

test('an empty project of JavaScript runs a workflow of its own with runTurn, and its history replays', { timeout }, async () => {
  const { address, namespace } = await sharedTemporalServer();
  // Node 22 knows no \`await using\`.
  const plain = main
    .replace('await using environment', 'const environment')
    .replace('(taskQueue);\n}', '(taskQueue);\n  await environment[Symbol.asyncDispose]();\n}');
  const project = newProject('javascript', { 'package.json': '{"type":"module"}', 'workflows.js': workflows, 'main.js': plain });
  assert.equal(
    run(process.execPath, ['main.js'], project, { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace }),
    'Moss and fern.\n',
  );
});

test('an empty project of TypeScript compiles against every entry point, and runs what it has compiled', { timeout }, async () => {
  const { address, namespace } = await sharedTemporalServer();
  const entries = [
    'turnkeep',
    ...['workflow', 'activities', 'worker', 'client', 'http-client', 'config', 'testing'].map((name) => `turnkeep/${name}`),
  ];
  const project = newProject('typescript', {
    'package.json': '{"type":"module"}',
    'workflows.ts': workflows.replace('(topics)', '(topics: readonly string[]): Promise<string>'),
    'main.ts': main.replace("const args = [['moss', 'fern']];", "const args: [string[]] = [['moss', 'fern']];"),
    'all.ts': entries.map((name, index) => `export * as entry${index} from '${name}';`).join('\n'),
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        target: 'es2022',
        lib: ['es2024', 'esnext.disposable'],
        module: 'nodenext',
        strict: true,
        types: ['node'],
        skipLibCheck: true,
        declaration: true,
      },
    }),
  });
  run(join(bin, 'tsc'), ['-p', '.'], project);
  // What other packages declare is theirs.
  const { stdout } = spawnSync(join(bin, 'tsc'), ['-p', '.', '--noEmit', '--skipLibCheck', 'false'], { cwd: project, encoding: 'utf8' });
  assert.deepEqual(
    stdout.split('\n').filter((line) => /^\S*node_modules\/turnkeep\/|^[a-z]+\.ts/.test(line)),
    [],
  );
  assert.equal(
    run(process.execPath, ['main.js'], project, { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace }),
    'Moss and fern.\n',
  );
});

/** The files that a document shows, by the names in their first lines. */
function filesOf(markdown: string): Readonly<Record<string, string>> {
  const blocks = [...markdown.matchAll(/^```ts\n\/\/ (\S+)\n([^]*?)^```$/gm)];
  return Object.fromEntries(blocks.map(([, name = '', text = '']) => [name, text]));
}

test(
  'docs/library.md · its files compile, and run as they stand: the worker, whoever starts the workflow, and the test',
  { timeout },
  async (t) => {
    const { address, namespace } = await sharedTemporalServer();
    const files = filesOf(readFileSync(join(root, 'docs/library.md'), 'utf8'));
    assert.deepEqual(Object.keys(files), ['turnkeep.config.ts', 'workflows.ts', 'worker.ts', 'start.ts', 'report.test.ts']);
    const compilerOptions = {
      target: 'es2024',
      lib: ['es2024', 'esnext.disposable'],
      module: 'nodenext',
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      noEmit: true,
      allowImportingTsExtensions: true,
    };
    const project = newProject('docs', {
      'package.json': '{"type":"module"}',
      'tsconfig.json': JSON.stringify({ compilerOptions }),
      ...files,
    });
    run(join(bin, 'tsc'), ['-p', '.'], project);
    run(process.execPath, ['--test', 'report.test.ts'], project, { TEMPORAL_CLI: await testTemporalProgram(), NODE_TEST_CONTEXT: '' });

    const story = modelStory()
      .whenTold('reviewer', says('Moss and fern.'))
      .whenTold('moss', says('Moss is soft.'))
      .whenTold('fern', says('Old.'));
    const model = await startModelServer({ fallback: story.reply });
    const env = {
      TEMPORAL_ADDRESS: address,
      TEMPORAL_NAMESPACE: namespace,
      TURNKEEP_TASK_QUEUE: `docs-${process.pid}`,
      TURNKEEP_DATA_DIR: join(project, 'data'),
      TURNKEEP_PORT: '0',
      TURNKEEP_TITLES: '0',
      OPENAI_BASE_URL: model.baseUrl,
      OPENAI_API_KEY: 'sk-docs',
      TURNKEEP_MODEL_API: 'chat',
    };
    const started = (args: readonly string[]) => {
      const child = spawn(process.execPath, args, { cwd: project, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
      t.after(() => child.kill('SIGKILL'));
      return child;
    };
    const gateway = started(['node_modules/turnkeep/bin/turnkeep.js', 'serve']);
    let url: string | undefined;
    for (const stream of [gateway.stdout, gateway.stderr])
      stream.on('data', (text) => (url ??= /listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(String(text))?.[1]));
    await within(
      'the gateway',
      until(() => url !== undefined),
    );
    // The page is in the package, built.
    const page = await fetch(`${url}/`, { headers: { accept: 'text/html' } });
    assert.match(await page.text(), /id="root"/);
    started(['worker.ts']);
    const said = await promisify(execFile)(process.execPath, ['start.ts'], {
      cwd: project,
      env: { ...process.env, ...env, TURNKEEP_URL: url },
    });
    assert.match(said.stdout, /^(Moss is soft\.|Old\.)\nMoss and fern\.\n$/);
    await model.close();
  },
);

test('docs/library.md names every function that an entry point exports', () => {
  const text = readFileSync(join(root, 'docs/library.md'), 'utf8');
  for (const [specifier, { values }] of Object.entries(names)) {
    const row = text.split('\n').find((line) => line.startsWith(`| \`${specifier}\` `)) ?? '';
    assert.deepEqual(
      values.filter((name) => !row.includes(`\`${name}\``)),
      [],
      specifier,
    );
  }
});

test('examples/research-team · without a key a story plans, looks up, asks and writes', { timeout }, async () => {
  const project = newProject('research-team', { 'package.json': '{"type":"module"}' });
  cpSync(join(root, 'examples/research-team'), project, { recursive: true });
  const { OPENAI_API_KEY: _key, OPENAI_BASE_URL: _url, ...env } = process.env;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['main.ts', '--yes'], {
    cwd: project,
    env: { ...env, TEMPORAL_CLI: await testTemporalProgram() },
  });
  assert.match(
    stdout,
    /The reviewer asks: acceptFindings .*\nApproved\.\n\nMoss, fern and lichen .*two that live as one\.\n\nWritten\.\n$/,
  );
  assert.equal(stderr, '');
});
