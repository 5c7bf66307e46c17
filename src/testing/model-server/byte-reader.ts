/** A queue of bytes between a socket, which pushes chunks, and a parser, which takes them by length. Chunks are joined only when taken, so a body of 32 MB is copied once. */
export class ByteReader {
  #chunks: Buffer[] = [];
  #size = 0;
  #isEnded = false;
  #wake: (() => void) | undefined;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** The next byte, without taking it; undefined at the end. */
  async peek(): Promise<number | undefined> {
    while (this.#size === 0) {
      if (this.#isEnded) return undefined;
      await this.#more();
    }
    return this.#joined()[0];
  }

  /** Exactly so many bytes, or undefined if the end came before. */
  async take(bytes: number): Promise<Buffer | undefined> {
    while (this.#size < bytes) {
      if (this.#isEnded) return undefined;
      await this.#more();
    }
    const all = this.#joined();
    this.#replace(all.subarray(bytes));
    return all.subarray(0, bytes);
  }

  /** The bytes before the delimiter, which is dropped. It searches all bytes each time: for heads and chunk sizes only. */
  async takeUntil(delimiter: string): Promise<string | undefined> {
    for (;;) {
      const all = this.#joined();
      const at = all.indexOf(delimiter);
      if (at >= 0) {
        this.#replace(all.subarray(at + delimiter.length));
        return all.toString('latin1', 0, at);
      }
      if (this.#isEnded) return undefined;
      await this.#more();
    }
  }

  #joined(): Buffer {
    const first = this.#chunks[0];
    if (this.#chunks.length === 1 && first !== undefined) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  #replace(rest: Buffer): void {
    this.#chunks = [rest];
    this.#size = rest.length;
  }

  async #more(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }
}
