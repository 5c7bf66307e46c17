/** What the user asks for: by a line that was typed, or by Ctrl-C. */

export type LineInput =
  | { readonly type: 'nothing' }
  | { readonly type: 'message'; readonly text: string }
  | { readonly type: 'command'; readonly name: CommandName; readonly argument: string }
  | { readonly type: 'unknown'; readonly name: string };

export const commands = {
  help: 'this list',
  new: 'begin a new session',
  sessions: 'list the sessions and pick one',
  session: 'which session this is; with an id: go on in that one',
  history: 'what was said last in this session',
  model: 'which model or agent answers; with a name: that one from now on',
  approve: 'ask again what waits for your approval',
  quit: 'leave (Ctrl-D does too)',
} as const;

export type CommandName = keyof typeof commands;

const aliases: ReadonlyMap<string, CommandName> = new Map([
  ['agent', 'model'],
  ['exit', 'quit'],
  ['q', 'quit'],
  ['?', 'help'],
]);

/** Only a word after the slash is a command: `/etc/hosts` and pasted lines are messages. `//` sends a slash. */
export function readLine(line: string): LineInput {
  if (line.trim() === '') return { type: 'nothing' };
  if (line.startsWith('//')) return { type: 'message', text: line.slice(1) };
  const [, name, argument = ''] = /^\/([a-z]+|\?)(?:[ \t]+(\S.*?))?\s*$/i.exec(line) ?? [];
  if (name === undefined || line.includes('\n')) return { type: 'message', text: line };
  const word = name.toLowerCase();
  const known = isCommand(word) ? word : aliases.get(word);
  return known === undefined ? { type: 'unknown', name } : { type: 'command', name: known, argument };
}

function isCommand(word: string): word is CommandName {
  return Object.hasOwn(commands, word);
}

export function commandsHelp(): string {
  const lines = Object.entries(commands).map(([name, what]) => `  /${name.padEnd(10)} ${what}`);
  return [
    ...lines,
    '  //text      sends /text',
    '  \\ at the end of a line goes on with the next line; pasted lines stay one message',
  ].join('\n');
}

export interface Interrupt {
  readonly isTurnRunning: boolean;
  /** Ctrl-C was pressed before, and nothing was sent since. */
  readonly isSecond: boolean;
  /** A person can read that a second one leaves. */
  readonly isTerminal: boolean;
  readonly hasTyped: boolean;
}

export type InterruptAction = 'stop_turn' | 'clear_line' | 'warn' | 'leave';

/** Ctrl-C once stops the turn, twice leaves, as long as nothing is typed in between. */
export function actionOf({ isTurnRunning, isSecond, isTerminal, hasTyped }: Interrupt): InterruptAction {
  if (isTurnRunning) return isSecond ? 'leave' : 'stop_turn';
  if (!isTerminal) return 'leave';
  if (hasTyped) return 'clear_line';
  return isSecond ? 'leave' : 'warn';
}
