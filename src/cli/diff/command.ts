/** The flags and the help of `turnkeep diff`. */
import { Command, Option } from 'commander';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';

export interface DiffFlags extends GatewayFlags {
  readonly json?: boolean;
  readonly all?: boolean;
}

export function diffCommand(action: (left: string, right: string, flags: DiffFlags) => Promise<number>): Command {
  return addGatewayFlags(
    new Command('diff')
      .description('the first difference of two turns, and the rest of them side by side')
      .argument('<turn|file>', 'the id of a turn, or a file of turnkeep export')
      .argument('<turn|file>', 'the other one'),
  )
    .addOption(new Option('--all', 'what is the same too'))
    .addOption(new Option('--json', 'one JSON object: {"first", "places"}'))
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Why did it go another way than yesterday's; and is the rerun what the turn was:
  turnkeep diff resp_… resp_…
  turnkeep diff yesterday.turn.json resp_…

Ids, times and the wording of errors are no difference.
Exit codes: 0 the same, 1 different, 2 one of them could not be had.`,
    )
    .action(async (left: string, right: string, flags: DiffFlags) => {
      process.exitCode = await action(left, right, flags);
    });
}
