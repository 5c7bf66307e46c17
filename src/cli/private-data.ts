/**
 * The data dir holds all that was ever said, and keys of Temporal's codec may stand beside it: nobody but its owner reads it.
 * What this process and its children make is private whatever the umask was; what an older version or a hand has made becomes so.
 */
import { chmodSync, lstatSync, readdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { sqlitePath } from '../config/setting-values.ts';

const ofOthers = 0o077;
/** A directory that many share, such as `/tmp`. */
const sticky = 0o1000;
const ownFile = /^(?:turnkeep|temporal|dev)\./;

/**
 * To be called before anything is written.
 * @returns what was changed, and what could not be, as sentences for the log
 */
export function keepPrivate({ dataDir, databaseUrl }: Pick<Config, 'dataDir' | 'databaseUrl'>): readonly string[] {
  // Windows has no such modes: there a profile's folders are private to begin with.
  if (process.platform === 'win32') return [];
  process.umask(ofOthers);
  const database = sqlitePath(databaseUrl);
  const ofDatabase = database === undefined ? [] : [database, `${database}-wal`, `${database}-shm`];
  const files = new Set([...ofDatabase, ...ownFilesOf(dataDir)]);
  const open = [dataDir, ...files].filter((path) => isOpenToOthers(path, path === dataDir));
  const changed = open.filter((path) => makePrivate(path, path === dataDir ? 0o700 : 0o600));
  const left = open.filter((path) => !changed.includes(path));
  return [
    ...(changed.length === 0 ? [] : [`other users could read ${listed(changed)}: now only its owner can`]),
    ...left.map((path) => `other users can read ${path}, and it is not this user's to change: make it private (chmod go= ${path})`),
  ];
}

function ownFilesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => ownFile.test(name))
      .map((name) => join(folder, name));
  } catch {
    // It is not there yet, or cannot be read: whoever opens it says so.
    return [];
  }
}

function isOpenToOthers(path: string, isFolder: boolean): boolean {
  const stats = statsOf(path, isFolder);
  if (stats === undefined || (stats.mode & ofOthers) === 0) return false;
  return stats.isFile() || (stats.isDirectory() && (stats.mode & sticky) === 0);
}

/** The folder itself may be a link; what stands in it as one is not ours to change. */
function statsOf(path: string, isFolder: boolean): Stats | undefined {
  return (isFolder ? statSync : lstatSync)(path, { throwIfNoEntry: false });
}

function makePrivate(path: string, mode: number): boolean {
  try {
    chmodSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function listed(paths: readonly string[]): string {
  const [first = '', ...others] = paths;
  return others.length === 0 ? first : `${first} and ${others.length} more (${others.join(', ')})`;
}
