/**
 * Puts a downloaded program where it is found again: checked first, then renamed into place, so that a kill at any
 * moment leaves either nothing or the whole. What a killed download left behind is cleared by a later one.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const PREFIX = '.download-';
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * @param bring puts the program somewhere into `folder` and returns its path
 * @throws when it cannot be brought, or is not the one with the pinned hash; `target` is then untouched
 */
export async function install(
  target: { readonly folder: string; readonly name: string; readonly sha256: string },
  bring: (folder: string) => Promise<string>,
): Promise<string> {
  await mkdir(target.folder, { recursive: true });
  await clearAbandoned(target.folder);
  const scratch = await mkdtemp(join(target.folder, PREFIX));
  try {
    const brought = await bring(scratch);
    const found = await sha256Of(brought);
    if (found !== target.sha256) throw new Error(`what came is not the pinned program (sha256 ${found} instead of ${target.sha256})`);
    await chmod(brought, 0o755);
    const path = join(target.folder, target.name);
    await rename(brought, path);
    return path;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function clearAbandoned(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    const path = join(folder, entry);
    // A young one may be another process's, at work right now.
    if (entry.startsWith(PREFIX) && Date.now() - (await stat(path)).mtimeMs > ABANDONED_AFTER_MS)
      await rm(path, { recursive: true, force: true });
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
