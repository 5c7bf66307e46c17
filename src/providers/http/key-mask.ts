/**
 * Takes the key of a provider out of what it sends, for those who keep that: some echo it in their errors. What stands for it is
 * as long, so that the chunks stay as they were.
 */

/** A shorter one is a placeholder such as `none`. */
export const shortestKey = 8;

/** Stands in no text: DEL, which JSON takes as it is. */
const filler = 0x7f;

/** What stands for a key of this length. */
export function maskOfKey(length: number): string {
  return String.fromCodePoint(filler).repeat(length);
}

export class KeyMask {
  readonly #key: Buffer;
  readonly #isInKey = new Uint8Array(256);
  readonly #emit: (chunk: Uint8Array) => void;
  /** Chunks that end with the beginning of the key. */
  #held: Buffer[] = [];

  constructor(key: string, emit: (chunk: Uint8Array) => void) {
    this.#key = Buffer.from(key);
    this.#emit = emit;
    for (const byte of this.#key) this.#isInKey[byte] = 1;
  }

  push(chunk: Uint8Array): void {
    const { length } = this.#key;
    if (length < shortestKey) this.#emit(chunk);
    else if (
      this.#held.length > 0 ||
      this.#isInKey[chunk.at(-1) ?? filler] === 1 ||
      Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).includes(this.#key)
    ) {
      this.#held.push(Buffer.from(chunk));
      this.#release(this.#mask());
    } else this.#emit(chunk);
  }

  /** Nothing more comes. */
  end(): void {
    for (const chunk of this.#held) this.#emit(chunk);
    this.#held = [];
  }

  /** Masks the keys in what is held. @returns how many bytes of it are no beginning of another one */
  #mask(): number {
    const all = Buffer.concat(this.#held);
    for (let at = all.indexOf(this.#key); at !== -1; at = all.indexOf(this.#key, at)) all.fill(filler, at, at + this.#key.length);
    let start = 0;
    this.#held = this.#held.map(({ length }) => all.subarray(start, (start += length)));
    for (let length = Math.min(this.#key.length - 1, all.length); length > 0; length -= 1) {
      if (all.subarray(all.length - length).equals(this.#key.subarray(0, length))) return all.length - length;
    }
    return all.length;
  }

  #release(bytes: number): void {
    let left = bytes;
    while (this.#held[0] !== undefined && this.#held[0].length <= left) {
      const chunk = this.#held.shift() as Buffer;
      left -= chunk.length;
      this.#emit(chunk);
    }
  }
}
