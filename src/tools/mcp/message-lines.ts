/** The messages in a server's output, one a line, none of them longer than what is held. */

/**
 * Bytes of one message of a server. To read one of this size takes Node some 10 ms, in which no token of any stream is sent on
 * (T14).
 */
export const maxMessageBytes = 2_097_152;

/** Enough for the id of a message, which is written at its one end or the other. */
const keptOfOversized = 256;

/** `oversized`: the line was longer than it may be, and has not been kept; `id` is that of the call it answered, if it shows. */
export type MessageLine =
  | { readonly type: 'line'; readonly text: string }
  | { readonly type: 'oversized'; readonly isNotification: boolean; readonly id?: number };

export class MessageLines {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Of a line that is too long: what it began with. */
  #head: Buffer | undefined;

  constructor(maxBytes = maxMessageBytes) {
    this.#maxBytes = maxBytes;
  }

  *push(chunk: Buffer): Generator<MessageLine> {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      this.#add(chunk.subarray(from, at));
      from = at + 1;
      const line = this.#take();
      if (line !== undefined) yield line;
    }
    this.#add(chunk.subarray(from));
  }

  #add(part: Buffer): void {
    if (part.length === 0) return;
    this.#bytes += part.length;
    this.#chunks.push(part);
    if (this.#bytes <= this.#maxBytes) return;
    const held = Buffer.concat(this.#chunks);
    this.#head ??= Buffer.from(held.subarray(0, keptOfOversized));
    // A copy: a slice would keep the whole alive.
    this.#chunks = [Buffer.from(held.subarray(-keptOfOversized))];
  }

  #take(): MessageLine | undefined {
    const [first] = this.#chunks;
    const last = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    const head = this.#head;
    this.#chunks = [];
    this.#bytes = 0;
    this.#head = undefined;
    if (head === undefined) return last.length === 0 ? undefined : { type: 'line', text: last.toString('utf8') };
    const id = idOf(head.toString('latin1'), last.toString('latin1'));
    return {
      type: 'oversized',
      isNotification: /^\s*\{[^{[]*"method"\s*:/.test(head.toString('latin1')),
      ...(id === undefined ? {} : { id }),
    };
  }
}

/** Only at the outermost level: what a tool answers may hold an `id` of its own, but not before its `result` or behind it. */
function idOf(head: string, tail: string): number | undefined {
  const found = /^\s*\{[^{[]*?"id"\s*:\s*(\d+)\s*,/.exec(head)?.[1] ?? /\}\s*,[^{}[\]]*?"id"\s*:\s*(\d+)[^{}[\]]*\}\s*$/.exec(tail)?.[1];
  return found === undefined ? undefined : Number(found);
}
