/**
 * The one release of Temporal's CLI that is downloaded: its pinned hashes, and how a download becomes a program that is
 * kept. The hash is that of the program itself, whichever way it came.
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

export const TEMPORAL_CLI_VERSION = '1.9.1';

/** Older ones on PATH are passed over: they lack the settings of `server-arguments.ts`, and could not open our database. */
export const OLDEST_TEMPORAL_CLI = [1, 9] as const;

export interface Build {
  /** As in the names of the official archives. */
  readonly os: 'darwin' | 'linux';
  readonly arch: 'amd64' | 'arm64';
  readonly sha256: string;
}

/** By `${process.platform}-${process.arch}`. */
export const builds: { readonly [platform: string]: Build } = {
  'linux-x64': { os: 'linux', arch: 'amd64', sha256: '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0' },
  'linux-arm64': { os: 'linux', arch: 'arm64', sha256: '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d' },
  'darwin-x64': { os: 'darwin', arch: 'amd64', sha256: 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc' },
  'darwin-arm64': { os: 'darwin', arch: 'arm64', sha256: '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b' },
};

/** Called while a download comes in. */
export type OnProgress = (receivedBytes: number, totalBytes: number) => void;

const scratchPrefix = '.download-';
const abandonedAfterMs = 3_600_000;
const hashedAtOnceBytes = 1 << 20;

export interface Target {
  /** The first that can be written is taken. */
  readonly folders: readonly string[];
  readonly name: string;
  readonly sha256: string;
}

/**
 * Checks a downloaded program, then renames it into place: a kill at any moment leaves either nothing or the whole.
 * A later download clears what a killed one left behind.
 *
 * @param download puts the program somewhere into the folder that it gets, and returns its path
 * @returns the path of the program
 * @throws when no folder can be written, the download fails, or brings a program of another hash; the folders are then untouched
 */
export async function install(target: Target, download: (scratch: string) => Promise<string>): Promise<string> {
  const { folder, scratch } = await makeScratch(target.folders);
  try {
    const program = await download(scratch);
    const found = await sha256Of(program);
    if (found !== target.sha256) throw new Error(`what came is not the pinned program (sha256 ${found} instead of ${target.sha256})`);
    await chmod(program, 0o755);
    const path = join(folder, target.name);
    await rename(program, path);
    return path;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Is this the program of that hash? Reads all of it (0.2 s). False when it is not there. */
export async function hasHash(path: string, sha256: string): Promise<boolean> {
  try {
    return (await sha256Of(path)) === sha256;
  } catch {
    return false;
  }
}

async function makeScratch(folders: readonly string[]): Promise<{ readonly folder: string; readonly scratch: string }> {
  let problem: unknown;
  for (const folder of folders) {
    try {
      await mkdir(folder, { recursive: true });
      await clearAbandoned(folder);
      return { folder, scratch: await mkdtemp(join(folder, scratchPrefix)) };
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}

async function clearAbandoned(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    const path = join(folder, entry);
    // A young one may be another process's, at work right now.
    if (entry.startsWith(scratchPrefix) && Date.now() - (await stat(path)).mtimeMs > abandonedAfterMs)
      await rm(path, { recursive: true, force: true });
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path);
  try {
    // A stream would make a buffer for each piece: 60 MB that the process has for good, as its first memory is not given back.
    const piece = Buffer.allocUnsafe(hashedAtOnceBytes);
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, piece.length);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(piece.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
