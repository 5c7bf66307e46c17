/**
 * Messages typed at a terminal: history, editing and pastes, by readline. While an answer streams, what is typed is kept
 * but not shown: a line sent meanwhile waits its turn, one begun stands behind the next prompt.
 */
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { WriteStream } from 'node:tty';
import type { Lines } from './lines.ts';
import { askForBrackets, askForNone, type Keys, PasteInput, unmarked } from './paste.ts';

/** What is needed of a terminal's output. */
type Display = NodeJS.WritableStream & Pick<WriteStream, 'columns' | 'isTTY'>;

const historySize = 1_000;
const continuation = '… ';

export class TerminalLines implements Lines {
  readonly #output: Mutable;
  readonly #readline: Interface;
  readonly #sent: string[] = [];
  /** Of the message that is being typed: lines that ended with a backslash. */
  #begun = '';
  #isClosed = false;
  #waiting: ((line: string | undefined) => void) | undefined;

  constructor(input: Keys, output: Display, onInterrupt: (hasTyped: boolean) => void) {
    this.#output = new Mutable(output);
    this.#readline = createInterface({ input: new PasteInput(input), output: this.#output, terminal: true, historySize });
    this.#readline.on('line', (line) => this.#take(line));
    this.#readline.on('SIGINT', () => {
      onInterrupt(this.#waiting !== undefined && (this.#readline.line !== '' || this.#begun !== ''));
    });
    this.#readline.on('close', () => this.#ended());
    output.write(askForBrackets);
  }

  async next(prompt: string): Promise<string | undefined> {
    const early = this.#sent.shift();
    if (early !== undefined) {
      this.#output.screen.write(`${prompt}${early}\n`);
      return early;
    }
    if (this.#isClosed) return undefined;
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#prompt(prompt);
    });
  }

  clear(): void {
    this.#begun = '';
    this.#clearLine();
  }

  interject(text: string): void {
    this.#output.screen.write(`\n${styleText('dim', `· ${text}`, { stream: this.#output.screen })}\n`);
    this.#readline.prompt();
  }

  close(): void {
    this.#readline.close();
  }

  #clearLine(): void {
    this.#readline.write(null, { ctrl: true, name: 'e' });
    this.#readline.write(null, { ctrl: true, name: 'u' });
  }

  #prompt(prompt: string): void {
    // readline thinks that what was typed unseen stands on the screen, and would wipe as many rows of the answer.
    const typed = this.#readline.line;
    this.#clearLine();
    this.#output.isMuted = false;
    this.#readline.setPrompt(prompt);
    this.#readline.prompt();
    if (typed !== '') this.#readline.write(typed);
  }

  #take(line: string): void {
    if (line.endsWith('\\')) {
      this.#begun += `${line.slice(0, -1)}\n`;
      if (this.#waiting !== undefined) this.#prompt(continuation);
      return;
    }
    const message = unmarked(this.#begun + line);
    this.#begun = '';
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#output.isMuted = true;
    if (waiting === undefined) this.#sent.push(message);
    else waiting(message);
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#output.screen.write(this.#waiting === undefined ? askForNone : `${askForNone}\n`);
    this.#waiting?.(undefined);
  }
}

/** The terminal as readline sees it; muted, it sees to nothing. */
class Mutable extends Writable {
  readonly isTTY = true;
  readonly screen: Display;
  isMuted = true;

  constructor(screen: Display) {
    super({ decodeStrings: false });
    this.screen = screen;
    screen.on('resize', () => this.emit('resize'));
  }

  get columns(): number {
    return this.screen.columns;
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (!this.isMuted) this.screen.write(chunk);
    // At once: what waits in between would meet another `isMuted`.
    done();
  }
}
