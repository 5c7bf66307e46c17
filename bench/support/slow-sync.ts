/** A disk that is slow to sync, for one process: a shim in front of libc, compiled when it is needed. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SlowSync {
  /** For the process that is to be slow. */
  readonly env: Readonly<Record<string, string>>;
  /** Syncs of that process so far. */
  count(): number;
}

/** @returns why there is none: no C compiler, or another loader than Linux's */
export function compileSlowSync(folder: string, moreMs: number): SlowSync | string {
  if (process.platform !== 'linux') return `LD_PRELOAD is not known to ${process.platform}`;
  const library = join(folder, 'slow-sync.so');
  const source = join(import.meta.dirname, 'slow-sync.c');
  const { error, status, stderr } = spawnSync('cc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl'], { encoding: 'utf8' });
  if (error !== undefined) return 'there is no C compiler (cc)';
  if (status !== 0) return `cc ended with ${status}: ${stderr}`;
  const counter = join(folder, 'syncs');
  writeFileSync(counter, Buffer.alloc(8));
  return {
    env: { LD_PRELOAD: library, BENCH_SYNC_MS: String(moreMs), BENCH_SYNC_FILE: counter },
    count: () => Number(readFileSync(counter).readBigUInt64LE()),
  };
}
