/** Reads one text out of a JSON object while it is written: the value of its first member, where that has the expected name. */

const escapes: { readonly [letter: string]: string } = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '/': '/', '\\': '\\', '"': '"' };

export class JsonTextReader {
  readonly #opening: RegExp;
  /** What has come and is not read yet. */
  #rest = '';
  #state: 'before' | 'inside' | 'behind' = 'before';
  /** The first half of a surrogate pair, which waits for the other. */
  #half = '';

  constructor(name: string) {
    this.#opening = new RegExp(`^\\s*\\{\\s*"${name}"\\s*:\\s*"`);
  }

  /** The next piece of the object; returns what there is of the text. Nothing, where the object has another form. */
  read(piece: string): string {
    if (this.#state === 'behind') return '';
    this.#rest += piece;
    if (this.#state === 'before') {
      const opening = this.#opening.exec(this.#rest)?.[0];
      if (opening === undefined) {
        // An opening is short: what is longer is none, and is not looked at again.
        if (this.#rest.length > 1_000) this.#state = 'behind';
        return '';
      }
      this.#rest = this.#rest.slice(opening.length);
      this.#state = 'inside';
    }
    return this.#whole(this.#decode());
  }

  #decode(): string {
    let text = '';
    let at = 0;
    for (;;) {
      const next = this.#rest.slice(at).search(/["\\]/);
      const stop = next === -1 ? this.#rest.length : at + next;
      text += this.#rest.slice(at, stop);
      at = stop;
      if (next === -1) break;
      if (this.#rest[at] === '"') {
        this.#state = 'behind';
        break;
      }
      const letter = this.#rest[at + 1];
      const length = letter === 'u' ? 6 : 2;
      // The escape goes on with the next piece.
      if (letter === undefined || at + length > this.#rest.length) break;
      text += letter === 'u' ? String.fromCharCode(Number.parseInt(this.#rest.slice(at + 2, at + 6), 16)) : (escapes[letter] ?? letter);
      at += length;
    }
    this.#rest = this.#rest.slice(at);
    return text;
  }

  #whole(read: string): string {
    const text = this.#half + read;
    const isCut = this.#state === 'inside' && /[\uD800-\uDBFF]$/.test(text);
    this.#half = isCut ? text.slice(-1) : '';
    return (isCut ? text.slice(0, -1) : text).toWellFormed();
  }
}
