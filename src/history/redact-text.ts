/**
 * Replaces texts by others of the same length that tell nothing of them: characters made of a keyed hash, whose key is thrown
 * away. The same text becomes the same everywhere in one bundle, so what was equal stays equal.
 */
import { createCipheriv, createHmac, type Hmac, randomBytes } from 'node:crypto';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';

const blockBytes = 16;
/** Of base64: four characters are made of three bytes. */
const [groupChars, groupBytes] = [4, 3];

/** Characters that stand for one text, any part of them. */
export interface Replacement {
  readonly slice: (from: number, to: number) => string;
}

/** As turnkeep makes ids: of turns, sessions, items, and of items of a response, by their number in it. */
const ownId = /^[a-z]{2,6}_(?:[0-9a-f]{32}|[0-9a-f]{48}(?:\d{4})?|[0-9a-f]{32}\d{4})$/;
const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
/** What the id of an item of a response ends in. */
const itemNumber = /^(?:msg|rs|fc|fco|ctc|ctco|mcp|mcpr|mcpl|item)_.+\d{4}$/;

/** Replaced at once: some 6 ms of work (T14). */
const textsAtOnce = 200;

/** Of JSON, whole or cut off. */
const jsonTokens = /"([^"\\]*(?:\\.[^"\\]*)*)("|$)|-?\d[\d.eE+-]*|[^\s{}[\],:"]+|"/gs;

export class TextRedactor {
  readonly #key = randomBytes(32);
  #texts = 0;
  /** Ids that look like ours, and were chosen by a client. */
  readonly #chosen: ReadonlySet<string>;

  constructor(chosenIds: Iterable<string> = []) {
    this.#chosen = new Set([...chosenIds].map((id) => id.replace(/^[a-z]+_/, '')));
  }

  /** As long as the text, in UTF-16 code units. */
  text(text: string): string {
    return this.replacementOf(this.begin().update(text)).slice(0, text.length);
  }

  /** For a text that comes in pieces. */
  begin(): Hmac {
    this.#texts += 1;
    return createHmac('sha256', this.#key);
  }

  replacementOf(hash: Hmac): Replacement {
    const seed = hash.digest();
    return { slice: (from, to) => charsOf(seed, from, to) };
  }

  /** An id that turnkeep made stays, and so do the prefix of another one and the number of an item. */
  id(id: string): string {
    // A workflow's id may have several in it: `turn/resp_…`.
    if (id.includes('/'))
      return id
        .split('/')
        .map((part, index) => (index === 0 && workflowPrefixes.has(part) ? part : this.id(part)))
        .join('/');
    const [, prefix = '', rest = ''] = /^([a-z]{2,6}_)?(.*)$/s.exec(id) ?? [];
    const number = itemNumber.test(id) ? rest.slice(-4) : '';
    const name = rest.slice(0, rest.length - number.length);
    if ((ownId.test(id) || uuid.test(id)) && !this.#chosen.has(name)) return id;
    return `${knownPrefixes.has(prefix) ? prefix : this.text(prefix)}${this.text(name)}${number}`;
  }

  /**
   * The text of a JSON value, whole or cut off: its structure stays, and every token is as long as it was. Names, strings and
   * numbers are replaced.
   */
  async json(text: string): Promise<string> {
    let [done, slice, at] = ['', [] as string[], 0];
    for (const { 0: token, 1: inner, 2: end, index } of text.matchAll(jsonTokens)) {
      slice.push(text.slice(at, index), this.#token(token, inner, end));
      at = index + token.length;
      this.#texts += 1;
      if (!this.isTired) continue;
      done += slice.join('');
      slice = [];
      await this.rest();
    }
    return done + slice.join('') + text.slice(at);
  }

  /** Others of this process are to have their turn. */
  get isTired(): boolean {
    return this.#texts >= textsAtOnce;
  }

  /** Resolves once they had it. */
  async rest(): Promise<void> {
    this.#texts = 0;
    await nextTurnOfTheLoop();
  }

  #token(token: string, inner?: string, end?: string): string {
    if (inner !== undefined) return `"${this.#inJson(inner)}${end ?? ''}`;
    if (/^(?:true|false|null|")$/.test(token)) return token;
    return /^-?\d/.test(token) ? this.number(token) : this.text(token);
  }

  /** Of as many digits, in the same form. */
  number(number: string): string {
    const chars = this.text(number);
    return number.replaceAll(/\d/g, (digit, index: number) => (digit === '0' ? '0' : String(1 + (chars.charCodeAt(index) % 9))));
  }

  /** A string as JSON writes it becomes what it becomes elsewhere, where no character of it is escaped. */
  #inJson(inner: string): string {
    let text = inner;
    try {
      text = JSON.parse(`"${inner}"`) as string;
    } catch {
      // Cut off in an escape.
    }
    return this.replacementOf(this.begin().update(text)).slice(0, inner.length);
  }
}

const workflowPrefixes = new Set(['turn', 'title', 'webhook']);
const knownPrefixes = new Set([
  '',
  'resp_',
  'conv_',
  'msg_',
  'rs_',
  'fc_',
  'fco_',
  'ctc_',
  'ctco_',
  'mcp_',
  'mcpr_',
  'mcpl_',
  'item_',
  'items_',
  'call_',
  'evt_',
]);

/** Of an endless row of characters that the seed stands for. */
function charsOf(seed: Buffer, from: number, to: number): string {
  if (to <= from) return '';
  const first = Math.floor(from / groupChars);
  const [begin, end] = [first * groupBytes, Math.ceil(to / groupChars) * groupBytes];
  const block = Math.floor(begin / blockBytes);
  const counter = Buffer.alloc(blockBytes);
  counter.writeUInt32BE(block, blockBytes - 4);
  const cipher = createCipheriv('aes-256-ctr', seed, counter);
  const bytes = cipher.update(Buffer.alloc(end - block * blockBytes)).subarray(begin - block * blockBytes);
  return bytes.toString('base64url').slice(from - first * groupChars, to - first * groupChars);
}
