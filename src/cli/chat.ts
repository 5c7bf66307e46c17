/** `turnkeep chat`: a terminal, or a pipe, on a gateway that runs. It speaks HTTP to it, as any client does. */
import { constants } from 'node:os';
import type { GatewayClient } from '../http-client/calls.ts';
import { Chat } from './chat/chat.ts';
import type { ChatFlags } from './chat/command.ts';
import { pipedLines, TerminalLines } from './chat/lines.ts';
import { printSessions } from './chat/pick-session.ts';
import { oneLine } from './chat/pieces.ts';
import { Screen } from './chat/screen.ts';
import { checkAgent } from './chat/agents.ts';
import { isListMissing, isUnknownSession, listSessions, readSession } from './chat/sessions.ts';
import { hasGatewayKey, openGateway, withGatewayErrors } from './gateway/open.ts';
import { GatewayError } from './gateway/target.ts';

/**
 * Resolves with the exit code.
 * @throws {GatewayError} when no gateway answers, or it refuses this key, or the session is not there
 * @throws {ConfigError} when the address is none
 */
export async function runChat(flags: ChatFlags): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const screen = new Screen(stdout, stderr);
  const client = openGateway(flags);
  // Whatever reads the answers may end first (`| head`): the chat ends with it.
  for (const stream of [stdout, stderr]) stream.on('error', () => process.exit(1));
  await withGatewayErrors(client, async () => {
    if (flags.list === true) await printSessions(client, screen);
    else await checkGateway(client, flags);
  });
  if (flags.list === true) return 0;

  // Before the first key can be pressed.
  const onInterrupt = (hasTyped: boolean): void => {
    if (chat.interrupt(hasTyped) === 'leave') leave('SIGINT');
  };
  const onEarly = (message: string): void => {
    if (message.trim() !== '') screen.notice(`waits for this answer: ${oneLine(message)}`);
  };
  const isTerminal = stdin.isTTY && stderr.isTTY;
  const lines = isTerminal ? new TerminalLines(stdin, stderr, { onInterrupt, onEarly }) : pipedLines(stdin);
  const { session, model, agent, instructions } = flags;
  const chat = new Chat({ client, screen, lines, isTerminal, session, model, agent, instructions, hasKey: hasGatewayKey(flags) });
  const leave = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void => {
    lines.close();
    screen.show({ kind: 'end' });
    chat.showSession();
    process.exit(128 + constants.signals[signal]);
  };
  process.on('SIGINT', () => onInterrupt(false));
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => leave(signal));
  if (isTerminal) {
    screen.notice(`${client.url}, ${session === undefined ? 'a new session' : `session ${session}`}`);
    screen.notice('/help lists the commands; Ctrl-C stops an answer, twice leaves');
  }
  const code = await chat.run();
  lines.close();
  chat.showSession();
  return code;
}

/** Asks for something that needs the key, and the session and the agent if they were named. */
async function checkGateway(client: GatewayClient, { session, agent }: ChatFlags): Promise<void> {
  if (agent !== undefined) await checkAgent(client, agent);
  if (session !== undefined) {
    await readSession(client, session).catch((error: unknown) => {
      if (!isUnknownSession(error)) throw error;
      throw new GatewayError(`There is no session ${session} at ${client.url}: turnkeep chat --list shows which there are.`, {
        cause: error,
      });
    });
    return;
  }
  await listSessions(client).catch((error: unknown) => {
    if (!isListMissing(error)) throw error;
  });
}
