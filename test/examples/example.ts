/** Examples as a reader runs them: by the command of `package.json`, without a key, with a Temporal dev server of their own. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import packageJson from '../../package.json' with { type: 'json' };
import { root } from '../package/entries.ts';
import { testCache, testTemporalProgram } from '../support/temporal-server.ts';

const [, ...flags] = packageJson.scripts.example.split(' ');
const cli = await testTemporalProgram();

/** @returns what it printed, and its exit code */
export async function runExample(context: TestContext, name: string): Promise<{ readonly output: string; readonly code: number | null }> {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...testCache, TEMPORAL_CLI: cli };
  const example = spawn(process.execPath, [...flags, name], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const { pid } = example;
  context.after(() => {
    // All that it has started: of one that ends as it should, nothing is left.
    if (example.exitCode === null && pid !== undefined) process.kill(-pid, 'SIGKILL');
  });
  const code = new Promise<number | null>((resolve) => {
    example.once('close', resolve);
  });
  const [output, errors] = await Promise.all([text(example.stdout), text(example.stderr)]);
  return { output: output + errors, code: await code };
}
