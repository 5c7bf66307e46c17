/**
 * Runs the tests: one Temporal dev server for all files, found or fetched as `turnkeep dev` would.
 *
 *     node test/run.ts                   every test
 *     node test/run.ts test/stories      those below a folder, or single files
 */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDevServer } from '../src/cli/dev-server/start.ts';
import { testTemporalProgram } from './support/temporal-server.ts';

const root = join(import.meta.dirname, '..');
const places = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
const files = (places.length === 0 ? ['test'] : places)
  .flatMap((place) => (statSync(join(root, place)).isDirectory() ? globSync(`${place}/**/*.test.ts`, { cwd: root }) : [place]))
  .toSorted();
if (files.length === 0) throw new Error(`no tests below ${places.join(' ')}`);

const folder = mkdtempSync(join(tmpdir(), 'turnkeep-tests-'));
const server = await startDevServer({
  program: await testTemporalProgram(),
  namespace: 'default',
  hasUi: false,
  logPath: join(folder, 'temporal.log'),
});
const runner = spawn(process.execPath, ['--test', '--test-concurrency=2', '--test-timeout=300000', ...flags, ...files], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, TURNKEEP_TEST_TEMPORAL_ADDRESS: server.address },
});
const code = await new Promise<number>((resolve) => {
  runner.once('exit', (status) => {
    resolve(status ?? 1);
  });
});
await server.stop();
rmSync(folder, { recursive: true, force: true });
process.exitCode = code;
