/** Counts the syncs of one process's disk, and makes them slower: a shim in front of libc, compiled when it is needed. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Syncs {
  readonly count: number;
  /** That they took, together. */
  readonly ms: number;
}

export interface SlowSync {
  /** For the process that is to be watched. */
  readonly env: Readonly<Record<string, string>>;
  /** Of that process so far. */
  read(): Syncs;
}

/** @returns why there is none: no C compiler, or another loader than Linux's */
export function compileSlowSync(folder: string, moreMs: number): SlowSync | string {
  if (process.platform !== 'linux') return `LD_PRELOAD is not known to ${process.platform}`;
  const library = join(folder, `slow-sync-${moreMs}.so`);
  const source = join(import.meta.dirname, 'slow-sync.c');
  const { error, status, stderr } = spawnSync('cc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl'], { encoding: 'utf8' });
  if (error !== undefined) return 'there is no C compiler (cc)';
  if (status !== 0) return `cc ended with ${status}: ${stderr}`;
  const counter = join(folder, `syncs-${moreMs}`);
  writeFileSync(counter, Buffer.alloc(16));
  return {
    env: { LD_PRELOAD: library, BENCH_SYNC_MS: String(moreMs), BENCH_SYNC_FILE: counter },
    read: () => {
      const bytes = readFileSync(counter);
      return { count: Number(bytes.readBigUInt64LE(0)), ms: Number(bytes.readBigUInt64LE(8)) / 1e6 };
    },
  };
}
