/**
 * Where a text stops being JSON, and what was expected there: `JSON.parse` names a position for some faults and quotes the
 * body for others. Looked for only in a body that `JSON.parse` has refused, in slices, with the event loop free in between
 * (T14). One state machine over bytes: every byte that the grammar knows is ASCII, whatever the text around it.
 */
import { setImmediate } from 'node:timers/promises';

export interface JsonFault {
  /** 1-based, as editors count them: lines end with \n, columns are characters. */
  readonly line: number;
  readonly column: number;
  /** Where the body ends too early; else what is there, for a sentence. */
  readonly found: string | undefined;
  readonly expected: string;
}

/** A slice of this size takes a few milliseconds. */
const sliceBytes = 128 * 1024;

/** undefined where there is no fault. */
export async function findJsonFault(bytes: Buffer): Promise<JsonFault | undefined> {
  const finder = new FaultFinder(bytes);
  while (finder.goOn(sliceBytes)) await setImmediate();
  const { fault } = finder;
  if (fault === undefined) return undefined;
  const { at, expected } = fault;
  return { ...(await placeOf(bytes, at)), found: at === bytes.length ? undefined : nameOf(bytes, at), expected };
}

type State = 'value' | 'value_or_end' | 'name' | 'name_or_end' | 'colon' | 'behind' | 'over';

const expectations: Readonly<Record<State, string>> = {
  value: 'a value',
  value_or_end: "a value or ']'",
  name: 'a name in double quotes',
  name_or_end: "a name in double quotes or '}'",
  colon: "':'",
  behind: "',' or the end",
  over: 'nothing more',
};

const lineFeed = 0x0a;
const quote = 0x22;
const backslash = 0x5c;
const escapes: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrtu'));
const literals = ['true', 'false', 'null'].map((word) => Buffer.from(word));
const numberBytes: ReadonlySet<number> = new Set(Buffer.from('0123456789+-.eE'));
const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;
/** Digits behind these are taken for a fault: nobody sends so many. */
const longestNumber = 4_096;

class FaultFinder {
  fault: { readonly at: number; readonly expected: string } | undefined;
  readonly #bytes: Buffer;
  /** Of the arrays and objects that are open, their closing brackets. */
  readonly #open: ('}' | ']')[] = [];
  #state: State = 'value';
  #at: number;
  /** Within a string: what comes behind its end. */
  #behindString: State | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#at = markLength(bytes);
  }

  /** Looks at so many bytes more. @returns whether there are others, and no fault yet */
  goOn(count: number): boolean {
    const stop = Math.min(this.#at + count, this.#bytes.length);
    while (this.#at < stop && this.fault === undefined) {
      if (this.#behindString === undefined) this.#structure();
      else this.#string(stop);
    }
    if (this.fault !== undefined) return false;
    if (this.#at < this.#bytes.length) return true;
    if (this.#behindString !== undefined) this.#fail(`the '"' of a text's end`);
    else if (this.#state !== 'over') this.#fail();
    return false;
  }

  #fail(expected = this.#expected()): void {
    this.fault ??= { at: Math.min(this.#at, this.#bytes.length), expected };
  }

  #expected(): string {
    return this.#state === 'behind' ? `',' or '${this.#open.at(-1)}'` : expectations[this.#state];
  }

  #structure(): void {
    const byte = this.#bytes[this.#at] ?? 0;
    if (byte === 0x20 || byte === lineFeed || byte === 0x0d || byte === 0x09) {
      this.#at += 1;
      return;
    }
    const character = String.fromCharCode(byte);
    const wantsValue = this.#state === 'value' || this.#state === 'value_or_end';
    const wantsName = this.#state === 'name' || this.#state === 'name_or_end';
    if (byte === quote && (wantsValue || wantsName)) {
      this.#behindString = wantsName ? 'colon' : this.#behindValue();
      this.#at += 1;
    } else if ((character === '{' || character === '[') && wantsValue) {
      this.#open.push(character === '{' ? '}' : ']');
      this.#become(character === '{' ? 'name_or_end' : 'value_or_end');
    } else if ((character === '}' || character === ']') && this.#mayClose(character)) {
      this.#open.pop();
      this.#become(this.#behindValue());
    } else if (character === ':' && this.#state === 'colon') this.#become('value');
    else if (character === ',' && this.#state === 'behind') this.#become(this.#open.at(-1) === '}' ? 'name' : 'value');
    else if (wantsValue) this.#word(byte);
    else this.#fail();
  }

  #become(state: State): void {
    this.#state = state;
    this.#at += 1;
  }

  #mayClose(character: string): boolean {
    const isAtEnd = this.#state === 'behind' || this.#state === 'value_or_end' || this.#state === 'name_or_end';
    return isAtEnd && this.#open.at(-1) === character;
  }

  #behindValue(): State {
    return this.#open.length === 0 ? 'over' : 'behind';
  }

  /** `true`, `false`, `null` or a number. */
  #word(byte: number): void {
    const literal = literals.find((word) => word[0] === byte);
    const length = literal === undefined ? this.#numberLength() : this.#literalLength(literal);
    if (length === 0) return this.#fail();
    this.#at += length;
    this.#state = this.#behindValue();
  }

  #numberLength(): number {
    let end = this.#at;
    while (end - this.#at < longestNumber && numberBytes.has(this.#bytes[end] ?? 0)) end += 1;
    return numberPattern.exec(this.#bytes.toString('latin1', this.#at, end))?.[0].length ?? 0;
  }

  #literalLength(literal: Buffer): number {
    return this.#bytes.subarray(this.#at, this.#at + literal.length).equals(literal) ? literal.length : 0;
  }

  /** To the string's end, or to `stop`. */
  #string(stop: number): void {
    for (; this.#at < stop; this.#at += 1) {
      const byte = this.#bytes[this.#at] ?? 0;
      if (byte === quote) {
        this.#state = this.#behindString ?? 'over';
        this.#behindString = undefined;
        this.#at += 1;
        return;
      }
      if (byte < 0x20) return this.#fail('the end of a text, or a new line in it as \\n');
      if (byte !== backslash) continue;
      const next = this.#bytes[this.#at + 1];
      if (next !== undefined && !escapes.has(next)) return this.#fail('an escape that JSON knows, such as \\n, \\" or \\u0041');
      this.#at += 1;
      if (next === 0x75 && !/^[\da-f]{4}/i.test(this.#bytes.toString('latin1', this.#at + 1, this.#at + 5))) {
        this.#at -= 1;
        return this.#fail('four hexadecimal digits behind \\u');
      }
    }
  }
}

async function placeOf(bytes: Buffer, at: number): Promise<{ line: number; column: number }> {
  let line = 1;
  let column = 1;
  for (let from = markLength(bytes); from < at; from += sliceBytes) {
    if (from > sliceBytes) await setImmediate();
    for (let each = from; each < Math.min(from + sliceBytes, at); each += 1) {
      const byte = bytes[each] ?? 0;
      if (byte === lineFeed) [line, column] = [line + 1, 1];
      // UTF-8's bytes behind the first of a character begin with the bits 10.
      else if ((byte & 0xc0) !== 0x80) column += 1;
    }
  }
  return { line, column };
}

/** Of a byte order mark, which is no part of the text. */
function markLength(bytes: Buffer): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** What is there: one word, or one character, in quotes. */
function nameOf(bytes: Buffer, at: number): string {
  const text = bytes.toString('utf8', at, at + 24);
  const character = String.fromCodePoint(text.codePointAt(0) ?? 0);
  if (/^[\p{C}\p{Z}]/u.test(character)) return `U+${text.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
  return character === "'" ? `"'"` : `'${/^[A-Za-z]+/.exec(text)?.[0] ?? character}'`;
}
