/** The flags and the help of `turnkeep chat`. */
import { Command, Option } from 'commander';
import { commandsHelp } from './input.ts';

export interface ChatFlags {
  readonly session?: string;
  readonly list?: boolean;
  readonly url?: string;
  readonly apiKey?: string;
  readonly dataDir?: string;
  readonly model?: string;
  readonly instructions?: string;
}

export function chatCommand(action: (flags: ChatFlags) => Promise<void>): Command {
  return new Command('chat')
    .description('talk in the terminal, with a gateway that runs')
    .addOption(new Option('-s, --session <id>', 'go on in this session (a conversation of the API); without it a new one begins'))
    .addOption(new Option('-l, --list', 'print the sessions, the last active first, and end'))
    .addOption(
      new Option(
        '-u, --url <url>',
        "the gateway's API (TURNKEEP_URL; by default that of the dev on the data dir, else http://127.0.0.1:8484/v1)",
      ),
    )
    .addOption(
      new Option(
        '--api-key <key>',
        'one of the secrets of TURNKEEP_API_KEYS (TURNKEEP_API_KEY; others on this machine can see flags: prefer the variable)',
      ),
    )
    .addOption(new Option('--data-dir <path>', 'where a running dev is looked for (TURNKEEP_DATA_DIR; default .turnkeep)'))
    .addOption(new Option('-m, --model <name>', 'the model to ask; by default that of the gateway'))
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

In a pipe:
  One message a line, one answer after another on stdout; reasoning, retries and errors on stderr.
  turnkeep chat --session conv_… <questions.txt >answers.txt

Colours are only used on a terminal, and not with NO_COLOR.
Exit codes: 0 done, 1 in a pipe a turn that did not complete, 2 no gateway, or asked wrongly, 130 and 143 left by a signal.`;
}
