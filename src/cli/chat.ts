/** `turnkeep chat`: a terminal, or a pipe, on a gateway that runs. It speaks HTTP to it as anybody does. */
import { constants } from 'node:os';
import { CallError } from './chat/call-failure.ts';
import { ChatError, troubleWith } from './chat/chat-error.ts';
import { Chat } from './chat/chat.ts';
import type { ChatFlags } from './chat/command.ts';
import { GatewayCalls } from './chat/gateway-calls.ts';
import { pipedLines } from './chat/lines.ts';
import { printSessions } from './chat/pick-session.ts';
import { Screen } from './chat/screen.ts';
import { isListMissing, listSessions, readSession } from './chat/sessions.ts';
import { targetOf } from './chat/target.ts';
import { TerminalLines } from './chat/terminal-lines.ts';

/**
 * Resolves with the exit code.
 * @throws {ChatError} when no gateway answers, or not to this key, or the session is not there
 * @throws {ConfigError} when the address is none
 */
export async function runChat(flags: ChatFlags): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const screen = new Screen(stdout, stderr);
  const calls = new GatewayCalls(targetOf(flags, process.env));
  // Whoever reads the answers may go (`| head`): then there is nobody to talk to.
  for (const stream of [stdout, stderr]) stream.on('error', () => process.exit(1));
  await plainly(calls, async () => {
    if (flags.list === true) await printSessions(calls, screen);
    else await greet(calls, flags.session);
  });
  if (flags.list === true) return 0;

  // Known before the first key can be pressed.
  const onInterrupt = (hasTyped: boolean): void => {
    if (chat.interrupt(hasTyped) === 'leave') leave('SIGINT');
  };
  const isTerminal = stdin.isTTY && stderr.isTTY;
  const lines = isTerminal ? new TerminalLines(stdin, stderr, onInterrupt) : pipedLines(stdin);
  const { session, model, instructions } = flags;
  const chat = new Chat({ calls, screen, lines, isTerminal, session, model, instructions });
  const leave = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void => {
    lines.close();
    screen.show({ kind: 'end' });
    chat.farewell();
    process.exit(128 + constants.signals[signal]);
  };
  process.on('SIGINT', () => onInterrupt(false));
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => leave(signal));
  if (isTerminal) {
    screen.notice(`${calls.url}, ${session === undefined ? 'a new session' : `session ${session}`}`);
    screen.notice('/help lists the commands; Ctrl-C stops an answer, twice leaves');
  }
  const code = await chat.run();
  lines.close();
  chat.farewell();
  return code;
}

/** Does anybody answer, and to this key? */
async function greet(calls: GatewayCalls, session: string | undefined): Promise<void> {
  if (session !== undefined) {
    await readSession(calls, session);
    return;
  }
  await listSessions(calls).catch((error: unknown) => {
    if (!isListMissing(error)) throw error;
  });
}

async function plainly(calls: GatewayCalls, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    throw new ChatError(troubleWith(calls.url, error.failure), { cause: error });
  }
}
