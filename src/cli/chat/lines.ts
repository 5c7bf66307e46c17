/** Where the user's messages come from: a pipe, or the keys of a terminal. */
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { WriteStream } from 'node:tty';
import { disableBracketedPaste, enableBracketedPaste, PasteInput, restoreNewlines, type TerminalInput } from './paste.ts';

export interface Lines {
  /** One message; undefined when there are no more. A terminal shows `prompt`. */
  next(prompt: string, options?: NextOptions): Promise<string | undefined>;
  /** Drops what is typed and not sent yet. */
  clear(): void;
  /** Shows a notice while the user types. */
  interject(text: string): void;
  close(): void;
}

export interface NextOptions {
  /** false: what was typed before the prompt is no answer to it, and is kept for the next one. */
  readonly isUnseen?: boolean;
}

/** A message a line, read no faster than it is answered. */
export function pipedLines(input: NodeJS.ReadableStream): Lines {
  const reader = createInterface({ input, crlfDelay: Infinity, terminal: false });
  const lines = reader[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await lines.next();
      return done === true ? undefined : value;
    },
    clear() {},
    interject() {},
    close: () => reader.close(),
  };
}

/** What is needed of a terminal's output. */
type TerminalOutput = NodeJS.WritableStream & Pick<WriteStream, 'columns' | 'isTTY'>;

const historySize = 1_000;
const continuation = '… ';

/**
 * History, editing and pastes, by readline. While an answer streams, what is typed is kept but not shown: a line sent
 * meanwhile is the next message, one that was begun stands behind the next prompt.
 */
export class TerminalLines implements Lines {
  readonly #output: MutableOutput;
  readonly #readline: Interface;
  readonly #sent: string[] = [];
  /** Called with a message that was sent while nobody waits for one. */
  readonly #onEarly: (message: string) => void;
  /** The lines of the message that is being typed that ended with a backslash. */
  #begun = '';
  /** What was begun before a prompt that it does not answer. */
  #kept: { readonly begun: string; readonly typed: string } | undefined;
  #isClosed = false;
  #waiting: ((line: string | undefined) => void) | undefined;

  constructor(
    input: TerminalInput,
    output: TerminalOutput,
    { onInterrupt, onEarly }: { readonly onInterrupt: (hasTyped: boolean) => void; readonly onEarly: (message: string) => void },
  ) {
    this.#onEarly = onEarly;
    this.#output = new MutableOutput(output);
    this.#readline = createInterface({ input: new PasteInput(input), output: this.#output, terminal: true, historySize });
    this.#readline.on('line', (line) => this.#addLine(line));
    this.#readline.on('SIGINT', () => {
      onInterrupt(this.#waiting !== undefined && (this.#readline.line !== '' || this.#begun !== ''));
    });
    this.#readline.on('close', () => this.#end());
    output.write(enableBracketedPaste);
  }

  async next(prompt: string, { isUnseen = true }: NextOptions = {}): Promise<string | undefined> {
    const early = isUnseen ? this.#sent.shift() : undefined;
    if (early !== undefined) {
      this.#output.screen.write(`${prompt}${early}\n`);
      return early;
    }
    if (this.#isClosed) return undefined;
    return new Promise((resolve) => {
      this.#waiting = resolve;
      if (isUnseen) this.#takeUp();
      else this.#putAside();
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

  #putAside(): void {
    const typed = this.#readline.line;
    if (this.#kept === undefined && (typed !== '' || this.#begun !== '')) this.#kept = { begun: this.#begun, typed };
    this.clear();
  }

  #takeUp(): void {
    if (this.#kept === undefined) return;
    const { begun, typed } = this.#kept;
    this.#kept = undefined;
    this.#begun = begun + this.#begun;
    const later = this.#readline.line;
    this.#clearLine();
    this.#readline.write(typed + later);
  }

  #clearLine(): void {
    this.#readline.write(null, { ctrl: true, name: 'e' });
    this.#readline.write(null, { ctrl: true, name: 'u' });
  }

  #prompt(prompt: string): void {
    // readline takes it that what was typed while muted is on the screen, and would wipe as many rows of the answer.
    const typed = this.#readline.line;
    this.#clearLine();
    this.#output.isMuted = false;
    this.#readline.setPrompt(prompt);
    this.#readline.prompt();
    if (typed !== '') this.#readline.write(typed);
  }

  #addLine(line: string): void {
    if (line.endsWith('\\')) {
      this.#begun += `${line.slice(0, -1)}\n`;
      if (this.#waiting !== undefined) this.#prompt(continuation);
      return;
    }
    const message = restoreNewlines(this.#begun + line);
    this.#begun = '';
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#output.isMuted = true;
    if (waiting !== undefined) {
      waiting(message);
      return;
    }
    this.#sent.push(message);
    this.#onEarly(message);
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#output.screen.write(this.#waiting === undefined ? disableBracketedPaste : `${disableBracketedPaste}\n`);
    this.#waiting?.(undefined);
  }
}

/** The terminal that readline writes to. */
class MutableOutput extends Writable {
  readonly isTTY = true;
  readonly screen: TerminalOutput;
  isMuted = true;

  constructor(screen: TerminalOutput) {
    super({ decodeStrings: false });
    this.screen = screen;
    screen.on('resize', () => this.emit('resize'));
  }

  get columns(): number {
    return this.screen.columns;
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (!this.isMuted) this.screen.write(chunk);
    // Synchronously: a chunk that is held back would be written under another `isMuted`.
    done();
  }
}
