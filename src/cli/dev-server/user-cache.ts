/** The folder that the platform has for what its user's programs may fetch again: `turnkeep` in it is ours. */
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
