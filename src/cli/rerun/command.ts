/** The flags and the help of `turnkeep rerun`. */
import { Command, Option } from 'commander';
import { addLiveFlags, type LiveFlags, liveTurn, refuseLiveFlags } from '../branches/live-flags.ts';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';

export interface RerunFlags extends GatewayFlags, LiveFlags {
  readonly json?: boolean;
}

export interface RerunActions {
  readonly offline: (targets: readonly string[], flags: RerunFlags) => Promise<void>;
  /** Says the exit code. */
  readonly live: (turn: string, flags: RerunFlags) => Promise<number>;
}

export function rerunCommand({ offline, live }: RerunActions): Command {
  const command = new Command('rerun')
    .description('runs turns again from their recordings: does this version make the same journal of what the provider sent?')
    .argument('<target...>', 'ids of turns, files of turnkeep export, directories of such files; with --live the id of one turn')
    .addHelpText(
      'after',
      `
Does a change of a parser read last night's answers as they were read?
  turnkeep export --since 1d -o last-night/ && turnkeep rerun last-night/

No provider is asked and no tool is run: what they said is played, over the code of this version. The first event that differs is
named, with its place in the JSON and the byte of the answer that it came from. Files are run again offline.
Exit codes: 0 all the same, 1 some differ, 2 some could not be run again (nothing was recorded, TURNKEEP_RECORD), and none differs.

Would another model, or other instructions, have done better from the third model call on?
  turnkeep rerun resp_… --live --from 3 --set model=gpt-5 --set instructions=@new.txt --tools recorded

Its text goes to stdout, the ids of the new turn and its session to stderr.
Exit codes: 0 it completed, 1 it ended otherwise, 2 no gateway, or asked wrongly.`,
    );
  return addGatewayFlags(addLiveFlags(command))
    .addOption(new Option('--json', 'one JSON object a turn; with --live the whole response, once it has its end'))
    .action(async (targets: readonly string[], flags: RerunFlags) => {
      if (flags.live === true) process.exitCode = await live(liveTurn(targets), flags);
      else {
        refuseLiveFlags(flags);
        await offline(targets, flags);
      }
    });
}
