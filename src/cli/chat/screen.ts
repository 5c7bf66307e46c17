/** Writes pieces to stdout and stderr, dim where it is not the answer. Colours only on a terminal, and not with NO_COLOR. */
import { styleText } from 'node:util';
import type { WriteStream } from 'node:tty';
import { type Layout, layOut } from './layout.ts';
import type { Piece } from './pieces.ts';

type Out = Pick<WriteStream, 'isTTY' | 'write'> & NodeJS.WritableStream;

export class Screen {
  readonly #out: Out;
  readonly #err: Out;
  #layout: Layout;

  constructor(out: Out, err: Out) {
    this.#out = out;
    this.#err = err;
    this.#layout = { isOneScreen: out.isTTY && err.isTTY, isAnswerOpen: false, isReasoningOpen: false };
  }

  show(piece: Piece): void {
    const { layout, writes } = layOut(this.#layout, piece);
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

  /** Whole lines that are neither an answer nor dim: lists, help, the history. */
  lines(text: string, to: 'out' | 'err' = 'err'): void {
    this.show({ kind: 'end' });
    const stream = to === 'out' ? this.#out : this.#err;
    stream.write(`${stream.isTTY ? printable(text) : text}\n`);
  }
}

/** Without control characters other than newline and tab: with them, a model's words would steer the terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}
