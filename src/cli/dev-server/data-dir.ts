/**
 * One `dev` a data dir. `dev.json` has its pid and the addresses of its servers, for the other commands; that it runs is known
 * by its lock, which the operating system frees when it dies. The ports are kept for the next run.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isLocked, takeLock } from './exclusive-lock.ts';

const recordSchema = z.object({
  pid: z.int(),
  namespace: z.string(),
  taskQueue: z.string(),
  /** Missing while `dev` starts. */
  temporalAddress: z.string().optional(),
  uiUrl: z.string().optional(),
  baseUrl: z.string().optional(),
  ports: z.object({ port: z.int(), uiPort: z.int().optional() }).optional(),
});

export type DevRecord = Readonly<z.infer<typeof recordSchema>>;

export interface DataDirClaim {
  /** The record of the run before this one. */
  readonly previous: DevRecord | undefined;
  write(record: DevRecord): void;
  release(): void;
}

export class DataDirTakenError extends Error {
  override readonly name = 'DataDirTakenError';
}

/** @param dataDir is there, and may be written @throws {DataDirTakenError} when another `dev` holds it */
export function claimDataDir(dataDir: string): DataDirClaim {
  const lock = takeLock(join(dataDir, 'dev.lock'));
  if (lock === undefined) {
    const holder = read(dataDir);
    const where = holder === undefined ? '' : ` (pid ${holder.pid}, ${holder.baseUrl ?? 'still starting'})`;
    throw new DataDirTakenError(
      `Another turnkeep dev runs on ${dataDir}${where}. Stop it, or give this one its own with TURNKEEP_DATA_DIR (--data-dir), and its own port with TURNKEEP_PORT (--port).`,
    );
  }
  return {
    previous: read(dataDir),
    write(record) {
      const path = join(dataDir, 'dev.json');
      writeFileSync(`${path}.new`, `${JSON.stringify(record, undefined, 2)}\n`);
      renameSync(`${path}.new`, path);
    },
    release: () => lock.release(),
  };
}

/** The `dev` that runs on this data dir. */
export function findRunningDev(dataDir: string): DevRecord | undefined {
  const record = read(dataDir);
  return record !== undefined && isLocked(join(dataDir, 'dev.lock')) ? record : undefined;
}

function read(dataDir: string): DevRecord | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(readFileSync(join(dataDir, 'dev.json'), 'utf8'))).data;
  } catch {
    // Missing, or not readable: nothing is known of a dev.
    return undefined;
  }
}
