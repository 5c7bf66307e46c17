/** Writes pieces to stdout and stderr, dim where it is not the answer. Colours only on a terminal, and not with NO_COLOR. */
import { styleText } from 'node:util';
import type { WriteStream } from 'node:tty';
import { lay, type Layout } from './layout.ts';
import type { Piece } from './pieces.ts';

type Out = Pick<WriteStream, 'isTTY' | 'write'> & NodeJS.WritableStream;

export class Screen {
  readonly #out: Out;
  readonly #err: Out;
  #layout: Layout;

  constructor(out: Out, err: Out) {
    this.#out = out;
    this.#err = err;
    this.#layout = { isOneScreen: out.isTTY && err.isTTY, isAnswerOpen: false, isAsideOpen: false };
  }

  show(piece: Piece): void {
    const { layout, writes } = lay(this.#layout, piece);
    this.#layout = layout;
    for (const { to, text } of writes) {
      const stream = to === 'out' ? this.#out : this.#err;
      const shown = stream.isTTY ? printable(text) : text;
      stream.write(to === 'err' ? styleText('dim', shown, { stream }) : shown);
    }
  }

  notice(text: string): void {
    this.show({ kind: 'notice', text });
  }

  /** Whole lines that are neither answer nor quiet: lists, help, what was said before. */
  lines(text: string, to: 'out' | 'err' = 'err'): void {
    this.show({ kind: 'end' });
    const stream = to === 'out' ? this.#out : this.#err;
    stream.write(`${stream.isTTY ? printable(text) : text}\n`);
  }
}

/** A model's words must not steer the terminal: of the control characters, newline and tab alone pass. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}
