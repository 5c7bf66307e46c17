/** Runs a program to its end and keeps its output. */
import { spawn } from 'node:child_process';

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  /** Of stderr, or of stdout where that is empty: what a message can say of a failure. */
  readonly lastLine: string;
}

/** @throws when the program cannot be started, does not end within `limitMs`, or `signal` aborts */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly limitMs: number; readonly env?: NodeJS.ProcessEnv; readonly signal?: AbortSignal },
): Promise<RunResult> {
  const limit = AbortSignal.timeout(options.limitMs);
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: options.signal ? AbortSignal.any([limit, options.signal]) : limit,
    killSignal: 'SIGKILL',
    ...(options.env ? { env: options.env } : {}),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (limit.aborted) reject(new Error(`${program} took longer than ${options.limitMs / 1000} s`));
      else reject(error.code === 'ENOENT' ? new Error(`there is no ${program}`) : error);
    });
    child.once('close', resolve);
  });
  return { code, stdout, lastLine: (stderr || stdout).trim().split('\n').at(-1) ?? '' };
}
