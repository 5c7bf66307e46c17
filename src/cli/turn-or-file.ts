/** What commands that look at one turn take: its id, which a gateway is asked for, or a file of `turnkeep export`. */
import { existsSync } from 'node:fs';
import { type Bundle, BundleError, parseBundle, readBundle } from '../history/bundle.ts';
import type { GatewayFlags } from './gateway/flags.ts';
import { openGateway, withGatewayErrors } from './gateway/open.ts';

/**
 * A file of that name comes first: ids look like `resp_…`.
 * @throws {GatewayError} when no gateway answers, or it has no such turn; {BundleError} where the file is no exported turn
 */
export async function readTurnOrFile(name: string, target: GatewayFlags): Promise<Bundle> {
  if (existsSync(name)) return readBundle(name);
  if (/[/\\]|\.json$/.test(name))
    throw new BundleError(`${name} is not there: name a file of turnkeep export, or the id of a turn (resp_…)`);
  const client = openGateway(target);
  const text = await withGatewayErrors(client, async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of client.bytes(`/turns/${encodeURIComponent(name)}/export`)) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  });
  return parseBundle(text, name);
}
