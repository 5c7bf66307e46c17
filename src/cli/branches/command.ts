/** The flags and the help of `turnkeep fork`. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';

export interface ForkFlags extends GatewayFlags {
  readonly at?: number;
  readonly edit?: string;
  readonly json?: boolean;
}

export function forkCommand(action: (turn: string, flags: ForkFlags) => Promise<void>): Command {
  return addGatewayFlags(
    new Command('fork')
      .description('begins a session that shares the past of a turn, and prints its id')
      .argument('<turn>', 'the id of a turn that has ended')
      .option('--at <step>', 'the past ends before this model call of the turn, from 1; without, behind the turn', stepNumber)
      .option('--edit <file>', 'JSON: an item, or a list of them, each in place of the one of the turn that has its id'),
  )
    .addOption(new Option('--json', 'the new conversation as one JSON object, as the API gives it'))
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Go on behind a turn in another way, and from before its third model call:
  turnkeep chat --session $(turnkeep fork resp_…)
  turnkeep fork resp_… --at 3

With another result of a tool: take the item from the turn, change it, and fork with it:
  turnkeep show resp_… --json | jq '.output[] | select(.type == "mcp_call")' > item.json
  turnkeep fork resp_… --at 2 --edit item.json

The turn and its own session stay as they are.
Exit codes: 0 done, 2 no gateway, or asked wrongly.`,
    )
    .action(async (turn: string, flags: ForkFlags) => action(turn, flags));
}

export function stepNumber(value: string): number {
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('It has to be the number of a step, from 1.');
}
