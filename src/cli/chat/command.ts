/** The flags and the help of `turnkeep chat`. */
import { Command, Option } from 'commander';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';
import { commandsHelp } from './input.ts';

export interface ChatFlags extends GatewayFlags {
  readonly session?: string;
  readonly list?: boolean;
  readonly model?: string;
  readonly agent?: string;
  readonly instructions?: string;
}

export function chatCommand(action: (flags: ChatFlags) => Promise<void>): Command {
  const command = new Command('chat').description('talk in the terminal, with a gateway that runs');
  return addGatewayFlags(command)
    .addOption(new Option('-s, --session <id>', 'go on in this session (a conversation of the API); without it a new one begins'))
    .addOption(new Option('-l, --list', 'print the sessions, the last active first, and end'))
    .addOption(new Option('-m, --model <name>', 'the model to ask; by default that of the gateway'))
    .addOption(new Option('-a, --agent <name>', 'the agent of turnkeep.config.ts to talk to').conflicts('model'))
    .addOption(new Option('-i, --instructions <text>', 'instructions for the model, sent with every turn'))
    .allowExcessArguments(false)
    .addHelpText('after', help())
    .action(async (flags: ChatFlags) => action(flags));
}

function help(): string {
  return `
In the chat:
${commandsHelp()}

  Ctrl-C stops the answer and keeps what was said; a second one leaves. What is sent while an answer runs waits for it.
  When the gateway restarts in mid-answer, the chat waits up to two minutes for it and goes on where it was.
  A turn outlives the chat: one that was not stopped is answered, and stands in its session.

  A call that waits for your approval is shown with its arguments: y, n, n and a reason for the model, or all.

In a pipe:
  One message a line, one answer after another on stdout; reasoning, calls of tools, retries and errors on stderr.
  Where a call waits for an approval, stderr says how to answer it with curl, and the chat ends there.
  turnkeep chat --session conv_… <questions.txt >answers.txt

Colours are only used on a terminal, and not with NO_COLOR.
Exit codes: 0 done, 1 in a pipe a turn that did not complete, 2 no gateway, or asked wrongly, 3 in a pipe a call waits for
an approval, 130 and 143 left by a signal.`;
}
