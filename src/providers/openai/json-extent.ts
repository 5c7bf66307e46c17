/** Finds where a JSON object, list or string ends that comes in pieces: each character is looked at once. It does not check the value. */
export class JsonExtent {
  #depth = 0;
  /** Something other than white space has come. */
  #hasText = false;
  #hasBegun = false;
  #isInString = false;
  #isEscaped = false;

  /** Whether an object or a list has begun, or a string that is all of the text, and nothing of it is open. */
  get isWhole(): boolean {
    return this.#hasBegun && this.#depth === 0 && !this.#isInString;
  }

  reset(): void {
    this.#depth = 0;
    this.#hasText = false;
    this.#hasBegun = false;
    this.#isInString = false;
    this.#isEscaped = false;
  }

  read(text: string): void {
    for (let at = 0; at < text.length; at += 1) {
      const char = text.charCodeAt(at);
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (char === backslash) this.#isEscaped = true;
        else if (char === quote) this.#isInString = false;
      } else if (char === quote) {
        this.#isInString = true;
        this.#hasBegun ||= !this.#hasText;
        this.#hasText = true;
      } else if (char === openBrace || char === openBracket) {
        this.#depth += 1;
        this.#hasBegun = true;
        this.#hasText = true;
      } else if (char === closeBrace || char === closeBracket) {
        this.#depth -= 1;
      } else if (char > space) {
        this.#hasText = true;
      }
    }
  }
}

const space = 0x20;
const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
