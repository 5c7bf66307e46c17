/**
 * Runs the tests: one Temporal dev server for all files of a pass, found or fetched as `turnkeep dev` would.
 *
 *     node test/run.ts                   every test but those of clients; chaos and stories once more, without head starts: stories
 *                                        both cached and replayed with them, and replayed, which is harder, without them
 *     node test/run.ts test/stories      those below a folder, or single files, once
 *
 * TURNKEEP_HEAD_START=off runs whatever is named without head starts.
 */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDevServer } from '../src/cli/dev-server/start.ts';
import type { PassReport } from './support/pass-reporter.ts';
import { testCacheDir, testTemporalProgram } from './support/temporal-server.ts';

const root = join(import.meta.dirname, '..');
const places = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
const files = (places.length === 0 ? ['test'] : places)
  .flatMap((place) => (statSync(join(root, place)).isDirectory() ? globSync(`${place}/**/*.test.ts`, { cwd: root }) : [place]))
  // The clients are 1.5 GB of programs: `npm run test:clients`.
  .filter((file) => places.length > 0 || !file.startsWith('test/clients/'))
  .toSorted();
if (files.length === 0) throw new Error(`no tests below ${places.join(' ')}`);

const folder = mkdtempSync(join(tmpdir(), 'turnkeep-tests-'));
const program = await testTemporalProgram();
let pass = 0;

/** Most of them wait for most of their time, for a lease, a retry or a process that starts: so many keep two processors busy. */
const filesAtOnce = 4;

const environment: NodeJS.ProcessEnv = {
  ...process.env,
  // Most of what a file loads is turnkeep itself, which Node would compile from TypeScript for each of them.
  NODE_COMPILE_CACHE: join(testCacheDir, 'compiled'),
};

/** @returns how many tests there were, and how they ended */
async function run(files: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<PassReport> {
  // A pass has a server of its own: the workflows of an earlier pass may still be open under the same ids.
  pass += 1;
  const reportPath = join(folder, `report-${pass}.json`);
  const server = await startDevServer({ program, namespace: 'default', hasUi: false, logPath: join(folder, 'temporal.log') });
  const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout']
    .concat(`--test-reporter=${join(root, 'test/support/pass-reporter.ts')}`)
    .concat(`--test-reporter-destination=${reportPath}`);
  const runner = spawn(
    process.execPath,
    [
      '--test',
      `--test-concurrency=${filesAtOnce}`,
      '--test-timeout=300000',
      '--import',
      join(root, 'test/support/exit-when-over.ts'),
      ...reporters,
      ...flags,
      ...files,
    ],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...environment, TURNKEEP_TEST_TEMPORAL_ADDRESS: server.address, ...env },
    },
  );
  const code = await new Promise<number>((resolve) => {
    runner.once('exit', (status) => {
      resolve(status ?? 1);
    });
  });
  await server.stop();
  process.exitCode = Math.max(Number(process.exitCode ?? 0), code);
  return JSON.parse(readFileSync(reportPath, 'utf8')) as PassReport;
}

const passes = [await run(files)];
if (places.length === 0) {
  // Stories of the head start itself have one whatever the variable says, and some tell of nothing that a turn begins with.
  const onlyOnce = new Set(
    ['chaos/fresh', 'chaos/log', 'chaos/webhooks', 'stories/edge', 'stories/mcp-lists', 'stories/titles', 'stories/too-much']
      .concat('stories/websocket-bounds')
      .map((name) => `test/${name}.test.ts`),
  );
  const isBothWays = (file: string): boolean => /^test\/(stories|chaos)\/(?!head-start)/.test(file) && !onlyOnce.has(file);
  console.log('\nThe stories and the chaos once more, without head starts:\n');
  passes.push(await run(files.filter(isBothWays), { TURNKEEP_HEAD_START: 'off', TURNKEEP_TEST_MODE: 'replayed always' }));

  for (const failure of passes.flatMap((pass) => pass.failures)) console.log(`\n✖ ${failure}`);
  console.log('\nBoth ways:\n');
  for (const name of Object.keys(passes[0]?.counts ?? {})) {
    console.log(`ℹ ${name} ${passes.reduce((sum, pass) => sum + (pass.counts[name] ?? 0), 0)}`);
  }
}
rmSync(folder, { recursive: true, force: true });
