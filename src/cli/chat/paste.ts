/**
 * Pastes of several lines at a terminal. A terminal that was asked to puts brackets around what is pasted; readline knows
 * nothing of them and would send every line as a message. So the newlines of a paste become a mark that the user sees
 * and edits, and newlines again when the message is sent.
 */
import { StringDecoder } from 'node:string_decoder';
import { Transform, type TransformCallback } from 'node:stream';
import type { ReadStream } from 'node:tty';

export const enableBracketedPaste = '\u001b[?2004h';
export const disableBracketedPaste = '\u001b[?2004l';
const newlineMark = '⏎';
const begin = '\u001b[200~';
const end = '\u001b[201~';

export interface PasteState {
  readonly isPaste: boolean;
  /** What may be the beginning of a bracket. */
  readonly held: string;
}

/** Takes the brackets off one chunk of input and marks the newlines between them. */
export function markPastes(state: PasteState, chunk: string): { readonly state: PasteState; readonly text: string } {
  let rest = state.held + chunk;
  let { isPaste } = state;
  let text = '';
  for (;;) {
    const bracket = isPaste ? end : begin;
    const at = rest.indexOf(bracket);
    const whole = at === -1 ? rest.slice(0, rest.length - heldLength(rest, bracket, isPaste)) : rest.slice(0, at);
    text += isPaste ? markNewlines(whole) : whole;
    if (at === -1) return { state: { isPaste, held: rest.slice(whole.length) }, text };
    rest = rest.slice(at + bracket.length);
    isPaste = !isPaste;
  }
}

/** Outside a paste a lone escape is a key, and passes at once. A CR may be half of a CRLF. */
function heldLength(text: string, bracket: string, isPaste: boolean): number {
  if (isPaste && text.endsWith('\r')) return 1;
  for (let length = Math.min(bracket.length - 1, text.length); length >= (isPaste ? 1 : 2); length -= 1) {
    if (text.endsWith(bracket.slice(0, length))) return length;
  }
  return 0;
}

/** Other control characters go: readline would take a pasted Ctrl-C for the key. */
function markNewlines(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replaceAll(/\r\n|\r|\n/g, newlineMark).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
}

export function restoreNewlines(line: string): string {
  return line.replaceAll(newlineMark, '\n').replace(/\n+$/, '');
}

/** What is needed of a terminal's input. */
export type TerminalInput = Pick<ReadStream, 'pipe' | 'setRawMode'>;

/** The keys of a terminal with its pastes marked; to readline it is the terminal. */
export class PasteInput extends Transform {
  readonly isTTY = true;
  readonly #terminal: TerminalInput;
  readonly #decoder = new StringDecoder('utf8');
  #state: PasteState = { isPaste: false, held: '' };

  constructor(terminal: TerminalInput) {
    super({ decodeStrings: true });
    this.#terminal = terminal;
    terminal.pipe(this);
  }

  setRawMode(isRaw: boolean): this {
    this.#terminal.setRawMode(isRaw);
    return this;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const { state, text } = markPastes(this.#state, this.#decoder.write(chunk));
    this.#state = state;
    if (text !== '') this.push(text);
    done();
  }
}
