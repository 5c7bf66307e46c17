/** The folder that the platform has for what its user's programs may fetch again: `turnkeep` in it is ours. */
import { mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * `XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows. It need not exist.
 *
 * @returns undefined for a user without a home
 */
export function userCacheFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): string | undefined {
  const parent = parentFolder(env, platform);
  return parent === undefined ? undefined : join(parent, 'turnkeep');
}

/** Whether a folder, made if need be, can be trusted with code: it is this user's to write, and nobody else's. */
export function isOwnFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(folder);
    return process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
  } catch {
    return false;
  }
}

function parentFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string | undefined {
  const named = env[platform === 'win32' ? 'LOCALAPPDATA' : 'XDG_CACHE_HOME'];
  // The XDG specification has a relative path ignored.
  if (platform !== 'darwin' && named !== undefined && isAbsolute(named)) return named;
  const home = homeOf(env);
  if (home === undefined) return undefined;
  if (platform === 'darwin') return join(home, 'Library', 'Caches');
  return platform === 'win32' ? join(home, 'AppData', 'Local') : join(home, '.cache');
}

function homeOf(env: NodeJS.ProcessEnv): string | undefined {
  if (env['HOME']) return env['HOME'];
  try {
    return homedir();
  } catch {
    // In a container, a user of whom the system knows nothing but a number.
    return undefined;
  }
}
