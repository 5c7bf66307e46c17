/** The flags and the help of `turnkeep export`. */
import { Command, Option } from 'commander';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';
import { addTurnFilters, type TurnFilterFlags, wholeNumber } from '../lists/command.ts';

export interface ExportFlags extends GatewayFlags, TurnFilterFlags {
  readonly failed?: boolean;
  readonly limit: number;
  readonly output?: string;
  readonly redact?: boolean;
  readonly json?: boolean;
}

export function exportCommand(action: (ids: readonly string[], flags: ExportFlags) => Promise<void>): Command {
  const command = new Command('export')
    .description('turns as files: what was asked and answered, attempt by attempt, with the history that Temporal has')
    .argument('[turn...]', 'ids of turns (resp_…); without any, those that the flags name');
  return addTurnFilters(addGatewayFlags(command))
    .addOption(new Option('--failed', 'those that failed: --status failed').conflicts('status'))
    .addOption(
      new Option('-n, --limit <number>', 'of those that the flags name, how many at the most').default(1_000).argParser(wholeNumber),
    )
    .addOption(
      new Option('-o, --output <path>', 'a file (- is stdout) for one turn, a directory for several; by default ID.turn.json here'),
    )
    .addOption(new Option('--redact', 'without what anybody said: it still replays, and shows what happened when'))
    .addOption(new Option('--json', 'one JSON object a file, as {"id", "file", "bytes"}'))
    .addHelpText(
      'after',
      `
One turn for a colleague, without its words; and what failed tonight, for a replay:
  turnkeep export resp_… --redact -o odd.turn.json
  turnkeep export --failed --since 12h -o failed/ && turnkeep replay failed/

Turns of agents that a turn called come along in a directory. What is in a file: docs/bundle.md. Secrets never are.
Exit codes: 0 done, 1 some of the turns are not there, 2 no gateway, asked wrongly, or a file cannot be written.`,
    )
    .action(async (ids: readonly string[], flags: ExportFlags) => action(ids, flags));
}
