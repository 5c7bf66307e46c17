/** The flags by which a command finds a gateway. */
import { type Command, Option } from 'commander';

export interface GatewayFlags {
  readonly url?: string;
  readonly apiKey?: string;
  readonly dataDir?: string;
}

export function addGatewayFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '-u, --url <url>',
        "the gateway's API (TURNKEEP_URL; by default that of the dev on the data dir, else http://127.0.0.1:8484/v1)",
      ),
    )
    .addOption(
      new Option(
        '--api-key <key>',
        'one of the secrets of TURNKEEP_API_KEYS (TURNKEEP_API_KEY; others on this machine can see flags: prefer the variable)',
      ),
    )
    .addOption(new Option('--data-dir <path>', 'where a running dev is looked for (TURNKEEP_DATA_DIR; default .turnkeep)'));
}
