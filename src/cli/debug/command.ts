/** The flags and the help of `turnkeep debug`. */
import { Command, Option } from 'commander';
import { stepNumber } from '../branches/command.ts';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';

export interface DebugFlags extends GatewayFlags {
  /** 1-based. */
  readonly at?: number;
  /** HOST:PORT */
  readonly inspect?: string;
  readonly print?: boolean;
  readonly json?: boolean;
}

export function debugCommand(action: (target: string, flags: DebugFlags) => Promise<number>): Command {
  return addGatewayFlags(
    new Command('debug')
      .description("replays a turn under Node's inspector, and prints its state before and after each event of its history")
      .argument('<turn|file>', 'the id of a turn, or a file of turnkeep export'),
  )
    .addOption(
      new Option('--at <step>', 'stops where the workflow begins to decide about this model call; default: about its first').argParser(
        stepNumber,
      ),
    )
    .addOption(
      new Option('--inspect <host:port>', 'where the debugger attaches (default 127.0.0.1:9229, or another port where that is taken)'),
    )
    .addOption(new Option('--print', 'waits for no debugger: prints the states and ends').conflicts('inspect'))
    .addOption(new Option('--json', 'one JSON object an event: {"id", "run_id", "event", "before", "after", "computed"}'))
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
What did the workflow know when it decided about the third model call? Of a colleague's file, without a gateway:
  turnkeep debug odd.turn.json --at 3          then attach: VS Code "Attach to turnkeep debug", or chrome://inspect
  turnkeep debug resp_… --print

Nothing is asked of a provider and nothing is written: the history is replayed over the workflow code of this version, and
breakpoints hold in its sources.
Exit codes: 0 replayed, 1 the code diverges from the history, 2 it could not be replayed, or there is no such step.`,
    )
    .action(async (target: string, flags: DebugFlags) => {
      process.exitCode = await action(target, flags);
    });
}
