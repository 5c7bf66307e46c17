/** The files that a command is to look at: of targets that are files, directories, or ids of turns, which the gateway exports. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BundleError } from '../../history/bundle.ts';
import { historyFilesOf } from '../../history/replay/history-files.ts';
import type { GatewayFlags } from '../gateway/flags.ts';
import { openGateway, withGatewayErrors } from '../gateway/open.ts';
import { given } from '../lists/run.ts';
import { StartError } from '../start-error.ts';

/**
 * What is there as a file or directory is that; all else is the id of a turn.
 * @param folder where the turns of the gateway are written
 * @throws {StartError} where there is no such file; {GatewayError} where the gateway cannot be had, or has no such turn
 */
export async function filesOf(targets: readonly string[], flags: GatewayFlags, folder: string): Promise<readonly string[]> {
  const files: string[] = [];
  for (const target of targets) {
    if (existsSync(target) || /[/\\]|\.json$/.test(target)) {
      files.push(...filesAt(target));
      continue;
    }
    const client = openGateway(given({ url: flags.url, apiKey: flags.apiKey, dataDir: flags.dataDir }));
    const file = join(folder, `${files.length}.turn.json`);
    await withGatewayErrors(client, async () =>
      writeFile(file, client.bytes(`/turns/${encodeURIComponent(target)}/export`), { mode: 0o600 }),
    );
    files.push(file);
  }
  return files;
}

function filesAt(path: string): readonly string[] {
  try {
    return historyFilesOf(path);
  } catch (error) {
    throw error instanceof BundleError ? new StartError(error.message, { cause: error }) : error;
  }
}
