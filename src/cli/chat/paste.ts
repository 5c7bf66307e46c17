/**
 * Terminals bracket what is pasted (once asked to); readline does not know of it and would send every line as a message
 * of its own. Newlines inside a paste become a mark that can be seen and edited, and newlines again when it is sent.
 */
import { StringDecoder } from 'node:string_decoder';
import { Transform, type TransformCallback } from 'node:stream';
import type { ReadStream } from 'node:tty';

export const newlineMark = '⏎';
export const askForBrackets = '\u001b[?2004h';
export const askForNone = '\u001b[?2004l';
const begin = '\u001b[200~';
const end = '\u001b[201~';

export interface PasteState {
  readonly isPaste: boolean;
  /** What may be the beginning of a bracket. */
  readonly held: string;
}

export function readPaste(state: PasteState, chunk: string): { readonly state: PasteState; readonly text: string } {
  let rest = state.held + chunk;
  let { isPaste } = state;
  let text = '';
  for (;;) {
    const bracket = isPaste ? end : begin;
    const at = rest.indexOf(bracket);
    const whole = at === -1 ? rest.slice(0, rest.length - heldBack(rest, bracket, isPaste)) : rest.slice(0, at);
    text += isPaste ? marked(whole) : whole;
    if (at === -1) return { state: { isPaste, held: rest.slice(whole.length) }, text };
    rest = rest.slice(at + bracket.length);
    isPaste = !isPaste;
  }
}

/** Outside a paste a lone escape is a key, and passes at once. A CR may be half of a CRLF. */
function heldBack(text: string, bracket: string, isPaste: boolean): number {
  if (isPaste && text.endsWith('\r')) return 1;
  for (let length = Math.min(bracket.length - 1, text.length); length >= (isPaste ? 1 : 2); length -= 1) {
    if (text.endsWith(bracket.slice(0, length))) return length;
  }
  return 0;
}

/** Other control characters would be keys to readline: a pasted Ctrl-C is none. */
function marked(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replaceAll(/\r\n|\r|\n/g, newlineMark).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
}

export function unmarked(line: string): string {
  return line.replaceAll(newlineMark, '\n').replace(/\n+$/, '');
}

/** What is needed of a terminal's input. */
export type Keys = Pick<ReadStream, 'pipe' | 'setRawMode'>;

/** The keys of a terminal with its pastes marked; readline takes it for the terminal itself. */
export class PasteInput extends Transform {
  readonly isTTY = true;
  readonly #terminal: Keys;
  readonly #decoder = new StringDecoder('utf8');
  #state: PasteState = { isPaste: false, held: '' };

  constructor(terminal: Keys) {
    super({ decodeStrings: true });
    this.#terminal = terminal;
    terminal.pipe(this);
  }

  setRawMode(isRaw: boolean): this {
    this.#terminal.setRawMode(isRaw);
    return this;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const { state, text } = readPaste(this.#state, this.#decoder.write(chunk));
    this.#state = state;
    if (text !== '') this.push(text);
    done();
  }
}
