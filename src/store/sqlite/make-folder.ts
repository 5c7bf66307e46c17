/** Makes a directory and those above it, for its owner alone. Node's own `recursive` turns for ever where a file system takes no directories, such as `/proc`. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const forOwner = 0o700;

/** One that is there stays as it is. @throws the error of the system: EEXIST and ENOTDIR where a file is in its place */
export function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path && statSync(parent, { throwIfNoEntry: false }) === undefined) makeFolder(parent);
  try {
    mkdirSync(path, forOwner);
  } catch (error) {
    // Another process that starts at the same moment was faster.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}
