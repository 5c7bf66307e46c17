/** The flags and the help of `turnkeep replay`. */
import { Command, Option } from 'commander';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';

export interface ReplayFlags extends GatewayFlags {
  readonly running?: boolean;
  readonly workflows?: string;
  readonly json?: boolean;
}

export function replayCommand(action: (targets: readonly string[], flags: ReplayFlags) => Promise<void>): Command {
  return addGatewayFlags(
    new Command('replay')
      .description('runs the workflow code of this version over histories: does it still do what it did?')
      .argument('[target...]', 'ids of turns, files of turnkeep export, directories of such files'),
  )
    .addOption(
      new Option('--running', 'all open workflows of the namespace, as TEMPORAL_* and TURNKEEP_CODEC_KEYS name it: before a deploy'),
    )
    .addOption(new Option('--workflows <path>', "a module that exports one's own workflows, instead of turnkeep's alone"))
    .addOption(new Option('--json', 'one JSON object a run'))
    .addHelpText(
      'after',
      `
Does the new version go on with what runs? And with what ran last night?
  TEMPORAL_ADDRESS=temporal:7233 turnkeep replay --running
  turnkeep export --since 1d -o last-night/ && turnkeep replay last-night/

Files are replayed offline. Each run that diverges is named with its event, the line of the code, what was expected and found.
Exit codes: 0 all the same, 1 some diverged, 2 some could not be looked at, and none diverged.`,
    )
    .action(async (targets: readonly string[], flags: ReplayFlags) => action(targets, flags));
}
