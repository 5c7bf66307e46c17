/** The flags and the help of `turnkeep rerun`. */
import { Command, Option } from 'commander';
import { addLiveFlags, type LiveFlags, refuseLiveFlags } from '../branches/live-flags.ts';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';

export interface RerunFlags extends GatewayFlags, LiveFlags {
  readonly json?: boolean;
}

export function rerunCommand(action: (targets: readonly string[], flags: RerunFlags) => Promise<void>): Command {
  const command = new Command('rerun')
    .description('asks a turn again')
    .argument('<target...>', 'the id of a turn')
    .addHelpText(
      'after',
      `
Would another model, or other instructions, have done better from the third model call on?
  turnkeep rerun resp_… --live --from 3 --set model=gpt-5 --set instructions=@new.txt --tools recorded

The model is asked again, in a new session: its text goes to stdout, the ids of the new turn and its session to stderr.
Exit codes: 0 it completed, 1 it ended otherwise, 2 no gateway, or asked wrongly.`,
    );
  return addGatewayFlags(addLiveFlags(command))
    .addOption(new Option('--json', 'the whole response as one JSON object, once it has its end'))
    .action(async (targets: readonly string[], flags: RerunFlags) => {
      if (flags.live !== true) refuseLiveFlags(flags);
      await action(targets, flags);
    });
}
