/** The npm that runs this script, or the one on the path. */
import { spawnSync } from 'node:child_process';

export interface NpmResult {
  /** Null: it was ended, or could not be started. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function npm(args: readonly string[], cwd: string, timeoutMs = 300_000): NpmResult {
  const own = process.env['npm_execpath'];
  const isNpm = own !== undefined && /npm-cli\.c?js$/.test(own);
  const [program, first] = isNpm ? [process.execPath, [own]] : ['npm', []];
  const { status, stdout, stderr, error } = spawnSync(program, [...first, ...args], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 268_435_456,
    timeout: timeoutMs,
  });
  return { code: status, stdout: stdout ?? '', stderr: error === undefined ? stderr : error.message };
}
