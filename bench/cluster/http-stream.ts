/** A response of HTTP/1.1 with a chunked body, read off a socket with as little work as there can be. */
export interface BodySink {
  /** Gets the body as it comes, without its chunks' frames. Comments of an event stream, a chunk each, are left out. */
  onBody(bytes: Buffer): void;
  onEnd(): void;
}

const colon = ':'.charCodeAt(0);
const newline = '\n'.charCodeAt(0);
const headEnd = Buffer.from('\r\n\r\n');
const lineEndBytes = 2;

/** Of one connection: answers one after the other. */
export class ResponseReader {
  readonly #sink: BodySink;
  #part: 'head' | 'size' | 'data' | 'line-end' = 'head';
  /** What has come of a part that is not whole. */
  #rest: Buffer | undefined;
  #left = 0;
  #isComment = false;
  #isLast = false;
  /** Of the answer that is being read. */
  status = 0;

  constructor(sink: BodySink) {
    this.#sink = sink;
  }

  feed(piece: Buffer): void {
    const bytes = this.#rest === undefined ? piece : Buffer.concat([this.#rest, piece]);
    this.#rest = undefined;
    let at = 0;
    while (at < bytes.length) {
      const next = this.#step(bytes, at);
      if (next === undefined) {
        this.#rest = bytes.subarray(at);
        return;
      }
      at = next;
    }
  }

  /** @returns where it goes on; undefined where more is needed */
  #step(bytes: Buffer, at: number): number | undefined {
    switch (this.#part) {
      case 'head': {
        const end = bytes.indexOf(headEnd, at);
        if (end === -1) return undefined;
        this.status = Number(bytes.toString('latin1', at + 9, at + 12));
        if (this.status !== 200) throw new Error(`status ${this.status}: ${bytes.toString('latin1', at, at + 600)}`);
        this.#part = 'size';
        return end + headEnd.length;
      }
      case 'size': {
        const end = bytes.indexOf(newline, at) + 1;
        if (end === 0) return undefined;
        const size = Number.parseInt(bytes.toString('latin1', at, end), 16);
        this.#isLast = size === 0;
        // The first byte of a chunk tells what it is.
        if (!this.#isLast && end === bytes.length) return undefined;
        this.#isComment = bytes[end] === colon;
        this.#part = this.#isLast ? 'line-end' : 'data';
        this.#left = this.#isLast ? lineEndBytes : size;
        return end;
      }
      case 'data': {
        const end = Math.min(bytes.length, at + this.#left);
        if (!this.#isComment) this.#sink.onBody(bytes.subarray(at, end));
        this.#left -= end - at;
        if (this.#left > 0) return end;
        this.#part = 'line-end';
        this.#left = lineEndBytes;
        return end;
      }
      case 'line-end': {
        const end = Math.min(bytes.length, at + this.#left);
        this.#left -= end - at;
        if (this.#left > 0) return end;
        this.#part = this.#isLast ? 'head' : 'size';
        if (this.#isLast) this.#sink.onEnd();
        return end;
      }
    }
  }
}
