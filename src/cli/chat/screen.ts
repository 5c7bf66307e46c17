/** Writes pieces to stdout and stderr, dim where it is not the answer. Colours only on a terminal, and not with NO_COLOR. */
import { styleText } from 'node:util';
import type { WriteStream } from 'node:tty';
import { type Layout, layOut } from './layout.ts';
import type { Piece } from './pieces.ts';
import { WordWrap } from './word-wrap.ts';

type Out = Pick<WriteStream, 'isTTY' | 'write'> & Partial<Pick<WriteStream, 'columns'>> & NodeJS.WritableStream;

/** Also of a terminal that says 0, as some pseudo-terminals do. */
const defaultColumns = 80;

export class Screen {
  readonly #out: Out;
  readonly #err: Out;
  #layout: Layout;
  /** Of the text that is being shown, where it is shown on a terminal: the answer's, or the reasoning's. */
  readonly #wraps: { readonly [to in 'out' | 'err']: WordWrap };

  constructor(out: Out, err: Out) {
    this.#out = out;
    this.#err = err;
    this.#layout = { isOneScreen: out.isTTY && err.isTTY, isAnswerOpen: false, isReasoningOpen: false };
    this.#wraps = { out: new WordWrap(() => out.columns || defaultColumns), err: new WordWrap(() => err.columns || defaultColumns) };
  }

  show(piece: Piece): void {
    const { layout, writes } = layOut(this.#layout, piece);
    this.#layout = layout;
    for (const { to, text } of writes) {
      const stream = this.#streamOf(to);
      const shown = stream.isTTY ? this.#wraps[to].add(printable(text)) : text;
      stream.write(to === 'err' ? styleText('dim', shown, { stream }) : shown);
      // On one screen a stream begins a line where the other has written.
      if (layout.isOneScreen) this.#wraps[to === 'out' ? 'err' : 'out'].restart();
    }
  }

  #streamOf(to: 'out' | 'err'): Out {
    return to === 'out' ? this.#out : this.#err;
  }

  notice(text: string): void {
    this.show({ kind: 'notice', text });
  }

  /** Whole lines that are neither an answer nor dim: lists, help, the history. */
  lines(text: string, to: 'out' | 'err' = 'err'): void {
    this.show({ kind: 'end' });
    const stream = this.#streamOf(to);
    stream.write(`${stream.isTTY ? this.#wraps[to].add(printable(text)) : text}\n`);
    for (const wrap of Object.values(this.#wraps)) wrap.restart();
  }
}

/** Without control characters other than newline and tab: with them, a model's words would steer the terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}
