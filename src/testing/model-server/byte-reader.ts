/** Bytes pushed by a socket, pulled by a parser. Chunks are kept apart until they are asked for: a 32 MB body is copied once. */
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

  /** The next byte, left where it is. */
  async peek(): Promise<number | undefined> {
    while (this.#size === 0) {
      if (this.#isEnded) return undefined;
      await this.#more();
    }
    return this.#joined()[0];
  }

  /** Exactly so many bytes, or undefined if the other side ended before. */
  async take(bytes: number): Promise<Buffer | undefined> {
    while (this.#size < bytes) {
      if (this.#isEnded) return undefined;
      await this.#more();
    }
    const all = this.#joined();
    this.#replace(all.subarray(bytes));
    return all.subarray(0, bytes);
  }

  /** What comes before the delimiter, which is swallowed. For heads and chunk sizes: it looks at all bytes each time. */
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
