/**
 * Breaks text that comes in pieces between words, where a terminal would break in the middle of one. Every character is shown
 * at once: a word that turns out not to fit is taken back, and begins the next line.
 */

/** Characters that are two columns wide, between any two of which a line may break: East Asian scripts, and emoji. */
const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;
const zeroWidth = /\p{Mark}|\p{Default_Ignorable_Code_Point}/u;

/** Columns of a terminal that a character takes. */
export function columnsOf(char: string): number {
  return zeroWidth.test(char) ? 0 : wide.test(char) ? 2 : 1;
}

export class WordWrap {
  /** Of the terminal, which may be resized. */
  readonly #columns: () => number;
  /** Columns of the line that are taken. */
  #column = 0;
  /** The word at the end of the line, as far as it has come. */
  #word = '';
  #wordWidth = 0;

  constructor(columns: () => number) {
    this.#columns = columns;
  }

  /** @returns what to write to the terminal */
  add(text: string): string {
    let out = '';
    for (const char of text) {
      if (char === '\n') {
        this.restart();
        out += char;
      } else if (char === ' ' || char === '\t') out += this.#addSpace(char);
      else out += this.#addToWord(char);
    }
    return out;
  }

  /** What comes next begins a line. */
  restart(): void {
    this.#column = 0;
    this.#endWord();
  }

  #endWord(): void {
    this.#word = '';
    this.#wordWidth = 0;
  }

  /** None at the end of a full line: the next word begins another. */
  #addSpace(char: string): string {
    this.#endWord();
    if (this.#column >= this.#columns()) return '';
    this.#column += 1;
    return char;
  }

  #addToWord(char: string): string {
    const width = columnsOf(char);
    if (width === 2) this.#endWord();
    let before = '';
    if (this.#column + width > this.#columns()) {
      // A word as long as the line is the terminal's to break.
      const isWholeLine = this.#wordWidth >= this.#column;
      before = isWholeLine ? '' : this.#wordWidth === 0 ? '\n' : `\u001b[${this.#wordWidth}D\u001b[K\n${this.#word}`;
      if (isWholeLine) this.#endWord();
      this.#column = this.#wordWidth;
    }
    this.#column += width;
    this.#wordWidth += width;
    this.#word += char;
    if (width === 2) this.#endWord();
    return before + char;
  }
}
