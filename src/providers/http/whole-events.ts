/**
 * Cuts the bytes of an event stream behind each empty line, so that a stream that breaks in the middle of an event can be
 * gone on with at its beginning. What the events mean, `sse.ts` reads.
 */
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** One event, or comments between two. */
export interface WholeEvent {
  readonly bytes: Uint8Array;
  /** Its `data:` lines, joined; empty where it has none. */
  readonly data: string;
}

export class WholeEvents {
  #pieces: Uint8Array[] = [];
  #heldBytes = 0;
  #isLineEmpty = true;
  #endsInReturn = false;

  /** Of the event that has not ended. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The events that end within these bytes, oldest first. */
  push(bytes: Uint8Array): readonly WholeEvent[] {
    const events: WholeEvent[] = [];
    let start = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at];
      const isEndOfReturn = byte === lineFeed && this.#endsInReturn;
      this.#endsInReturn = byte === carriageReturn;
      if (isEndOfReturn) continue;
      if (byte !== lineFeed && byte !== carriageReturn) {
        this.#isLineEmpty = false;
      } else if (this.#isLineEmpty) {
        this.#pieces.push(bytes.subarray(start, at + 1));
        start = at + 1;
        events.push(this.#take());
      } else {
        this.#isLineEmpty = true;
      }
    }
    if (start < bytes.length) this.#pieces.push(bytes.subarray(start));
    this.#heldBytes += bytes.length - start;
    return events;
  }

  /** What has come of the event that has not ended. It is dropped here: whoever goes on begins that event anew. */
  takeRest(): Uint8Array {
    const rest = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#heldBytes = 0;
    this.#isLineEmpty = true;
    this.#endsInReturn = false;
    return rest;
  }

  #take(): WholeEvent {
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#heldBytes = 0;
    const lines = bytes.toString('utf8').split(/\r\n|\r|\n/);
    const data = lines.flatMap((line) => /^data: ?(.*)$/s.exec(line)?.[1] ?? []).join('\n');
    return { bytes, data };
  }
}
