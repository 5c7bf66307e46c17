/** A `turnkeep` command as a process, run to its end. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

export interface EndedCommand {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nothing of the environment but where programs are found. */
export async function turnkeep(...args: readonly string[]): Promise<EndedCommand> {
  const { PATH, HOME } = process.env;
  return new Promise((resolve) => {
    const options = { cwd: root, env: { PATH, HOME }, maxBuffer: 67_108_864 };
    execFile(process.execPath, ['bin/turnkeep.js', ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}
