/** The flags and the help of `turnkeep rerun`. */
import { Command, Option } from 'commander';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';

export interface RerunFlags extends GatewayFlags {
  readonly json?: boolean;
}

export function rerunCommand(action: (targets: readonly string[], flags: RerunFlags) => Promise<void>): Command {
  return addGatewayFlags(
    new Command('rerun')
      .description('runs turns again from their recordings: does this version make the same journal of what the provider sent?')
      .argument('<target...>', 'ids of turns, files of turnkeep export, directories of such files'),
  )
    .addOption(new Option('--json', 'one JSON object a turn'))
    .addHelpText(
      'after',
      `
Does a change of a parser read last night's answers as they were read?
  turnkeep export --since 1d -o last-night/ && turnkeep rerun last-night/

No provider is asked and no tool is run: what they said is played, over the code of this version. The first event that differs is
named, with its place in the JSON and the byte of the answer that it came from. Files are run again offline.
Exit codes: 0 all the same, 1 some differ, 2 some could not be run again (nothing was recorded, TURNKEEP_RECORD), and none differs.`,
    )
    .action(async (targets: readonly string[], flags: RerunFlags) => action(targets, flags));
}
