/**
 * Looks at the bytes of a JSON body while they arrive: `JSON.parse` stops the process for as long as it takes, seven seconds
 * for 32 MiB of empty arrays (T14). So what is too much is refused before it is parsed, and what is long is cut where it
 * can be parsed in pieces: between the elements of the arrays that are members of the body itself, such as `input`.
 *
 * It knows strings and brackets, and nothing else of the grammar: whether the text is JSON is for `JSON.parse` to say.
 */
import { ApiError } from './errors.ts';

export interface JsonLimits {
  /** Of an array that is a member of the body. */
  readonly maxItems: number;
  /** Of one element of such an array, and of all that is outside of these arrays. About 20 ms of `JSON.parse`. */
  readonly maxValuesInPiece: number;
  readonly maxValues: number;
  readonly maxDepth: number;
}

export const jsonLimits: JsonLimits = {
  maxItems: 10_000,
  maxValuesInPiece: 50_000,
  maxValues: 1_000_000,
  // Far more than any schema or message needs, and few enough for code that walks the value by recursion.
  maxDepth: 256,
};

/** An array that is a member of the body: offsets behind its bracket, of the commas between its elements, and of its other bracket. */
export interface ScannedArray {
  readonly name: string;
  readonly from: number;
  readonly commas: number[];
  to: number;
}

const quote = 0x22;
const comma = 0x2c;
const openArray = 0x5b;
const backslash = 0x5c;
const closeArray = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;

/** Behind so many bytes of a string the search for its end is left to the system, which is slow to begin and fast then. */
const stepBytes = 128;

export class JsonScanner {
  readonly arrays: ScannedArray[] = [];
  readonly #limits: JsonLimits;
  /** How far it has come. */
  #at = 0;
  #depth = 0;
  #isInString = false;
  /** Where the string begins. */
  #stringAt = 0;
  /** The last string that was a direct member of the body: before an array, its name. */
  #nameAt = 0;
  #nameEnd = 0;
  #isObject = false;
  /** The array whose elements are being scanned. */
  #array: ScannedArray | undefined;
  #values = 0;
  /** Of the element that is being scanned, or outside of all. */
  #valuesOfElement = 0;
  #valuesOutside = 0;

  constructor(limits = jsonLimits) {
    this.#limits = limits;
  }

  /** How many values there were so far, about: containers and commas are counted. */
  get values(): number {
    return this.#values;
  }

  /**
   * Goes on to the end of `bytes`, which begin with all that was scanned before.
   * @throws ApiError 400 when there is too much of something, naming it
   */
  scan(bytes: Buffer): void {
    while (this.#at < bytes.length) {
      if (this.#isInString) this.#scanString(bytes);
      else this.#scanStructure(bytes);
    }
  }

  /** Up to the next string. */
  #scanStructure(bytes: Buffer): void {
    for (; this.#at < bytes.length; this.#at += 1) {
      switch (bytes[this.#at] ?? 0) {
        case quote:
          this.#isInString = true;
          this.#stringAt = this.#at;
          this.#at += 1;
          return;
        case openObject:
          this.#open(bytes, true);
          break;
        case openArray:
          this.#open(bytes, false);
          break;
        case closeObject:
        case closeArray:
          this.#close();
          break;
        case comma:
          if (this.#depth === 2 && this.#array !== undefined) this.#nextElement(this.#array);
          this.#count();
          break;
        default:
      }
    }
  }

  /** Up to the string's end, if it has come: the first bytes one by one, since most strings are short, then by leaps. */
  #scanString(bytes: Buffer): void {
    const leapFrom = Math.min(this.#at + stepBytes, bytes.length);
    while (this.#at < leapFrom) {
      const byte = bytes[this.#at];
      // What is escaped may be in the next chunk.
      this.#at += byte === backslash ? 2 : 1;
      if (byte === quote) {
        this.#endString();
        return;
      }
    }
    if (this.#at >= bytes.length) return;
    const from = this.#at;
    const end = bytes.indexOf(quote, from);
    const stop = end === -1 ? bytes.length : end;
    let escapes = 0;
    while (stop - escapes > from && bytes[stop - 1 - escapes] === backslash) escapes += 1;
    const isEscaped = escapes % 2 === 1;
    this.#at = stop + (end !== -1 || isEscaped ? 1 : 0);
    if (end !== -1 && !isEscaped) this.#endString();
  }

  #endString(): void {
    this.#isInString = false;
    if (this.#depth === 1) [this.#nameAt, this.#nameEnd] = [this.#stringAt, this.#at];
  }

  #open(bytes: Buffer, isObject: boolean): void {
    if (this.#depth === 0) this.#isObject = isObject;
    if (this.#depth === 1 && this.#isObject && !isObject) {
      this.#array = { name: nameIn(bytes.subarray(this.#nameAt, this.#nameEnd)), from: this.#at + 1, commas: [], to: -1 };
      this.arrays.push(this.#array);
      this.#valuesOfElement = 0;
    }
    this.#depth += 1;
    this.#count();
    const { maxDepth } = this.#limits;
    if (this.#depth > maxDepth) throw invalidBody(`it is nested deeper than ${maxDepth} levels`);
  }

  #close(): void {
    if (this.#depth === 2 && this.#array !== undefined) {
      this.#array.to = this.#at;
      this.#array = undefined;
    }
    this.#depth -= 1;
  }

  #nextElement({ name, commas }: ScannedArray): void {
    commas.push(this.#at);
    this.#valuesOfElement = 0;
    const { maxItems } = this.#limits;
    if (commas.length >= maxItems) throw tooManyItems(name, maxItems);
  }

  #count(): void {
    const { maxValues, maxValuesInPiece } = this.#limits;
    this.#values += 1;
    if (this.#values > maxValues) throw invalidBody(`it is made of more than ${maxValues} values`);
    if (this.#array === undefined) {
      this.#valuesOutside += 1;
      if (this.#valuesOutside > maxValuesInPiece) throw invalidBody(`it has more than ${maxValuesInPiece} values besides its lists`);
      return;
    }
    this.#valuesOfElement += 1;
    if (this.#valuesOfElement > maxValuesInPiece) {
      const param = `${this.#array.name}[${this.#array.commas.length}]`;
      throw new ApiError({
        status: 400,
        param,
        code: 'invalid_value',
        message: `Invalid '${param}': it is made of more than ${maxValuesInPiece} values.`,
      });
    }
  }
}

export function invalidBody(problem: string): ApiError {
  return new ApiError({ status: 400, code: 'invalid_value', message: `The body is not valid: ${problem}.` });
}

export function tooManyItems(param: string, maxItems: number): ApiError {
  return new ApiError({
    status: 400,
    param,
    code: 'too_many_items',
    message: `Invalid '${param}': it has more than ${maxItems} items (TURNKEEP_MAX_INPUT_ITEMS).`,
  });
}

/** For an error's `param`: long names are of nobody's API. */
function nameIn(json: Buffer): string {
  try {
    return String(JSON.parse(json.subarray(0, 200).toString())).slice(0, 100);
  } catch {
    return '';
  }
}
