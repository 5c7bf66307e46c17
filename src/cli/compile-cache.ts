/**
 * Node keeps the machine code of all modules, and of TypeScript what is left without its types: a second start compiles
 * nothing, and a checkout's does not load the compiler that takes types out (20 MB), if `bin/turnkeep.js` has begun it.
 */
import { enableCompileCache, flushCompileCache, getCompileCacheDir } from 'node:module';
import { dirname, join } from 'node:path';
import { isOwnFolder, userCacheFolder } from '../config/user-cache.ts';

/** In the user's cache, unless it was begun elsewhere; without a cache that is this user's alone, not at all. */
export function startCompileCache(): void {
  const begun = getCompileCacheDir();
  const cache = userCacheFolder(process.env);
  if (begun !== undefined) propagate(dirname(begun));
  else if (cache !== undefined && isOwnFolder(cache)) {
    const folder = join(cache, 'compiled');
    enableCompileCache(folder);
    propagate(folder);
  }
}

/** Writes what is new. Node does so too at the end of a process, but not of one that is killed. */
export function keepCompiled(): void {
  flushCompileCache();
}

/** The watchdog, and the thread of the workflow sandbox, learn of it by the environment alone. */
function propagate(folder: string): void {
  process.env['NODE_COMPILE_CACHE'] ??= folder;
}
