/** The flags and the help of `turnkeep show`. */
import { Command, Option } from 'commander';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';

export interface ShowFlags extends GatewayFlags {
  readonly json?: boolean;
  readonly follow?: boolean;
  readonly all?: boolean;
}

export function showCommand(action: (turn: string | undefined, flags: ShowFlags) => Promise<void>): Command {
  const command = new Command('show')
    .description('one turn as a timeline: each attempt with its causes, waits, tools, who had seen what, why it ended')
    .argument('[turn]', 'the id of a turn, or a file that turnkeep export wrote; the newest turn where nothing is said');
  return addGatewayFlags(command)
    .addOption(new Option('-f, --follow', 'goes on until the turn ends: redrawn in a terminal, a line for each event elsewhere'))
    .addOption(new Option('--all', 'folds nothing: every step, viewer and event, and long texts as far as they are there'))
    .addOption(new Option('--json', 'what GET /turns/ID/timeline tells, as one JSON object; with --follow an event a line'))
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
The newest turn; one turn, while it runs; a file from a colleague, as wide as the paper:
  turnkeep show
  turnkeep show resp_… --follow
  COLUMNS=140 turnkeep show turn.json --all | less

Bars: ░ asked, not sent yet  ▒ sent, nothing has begun  █ the answer comes  · a wait  ▓ a tool  ─ a viewer.
What the lines mean: docs/debugging.md.
Exit codes: 0 shown, however the turn ended; 2 no such turn or file, no gateway, or asked wrongly.`,
    )
    .action(async (turn: string | undefined, flags: ShowFlags) => action(turn, flags));
}
