/** What has to be known of an event stream as it passes: how long its open event is, and the last id that it gave. */

const newline = 10;
const carriageReturn = 13;
/** An id is at the start of its line, and not longer than this. */
const keptOfLine = 1_024;

export class SseScan {
  /** Bytes of the event that is not at its end yet. */
  eventBytes = 0;
  /** Where a stream with an id broke off, it can be taken up again. */
  lastEventId: string | undefined;
  #line = '';
  #lineBytes = 0;

  push(chunk: Uint8Array): void {
    let from = 0;
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      this.#add(chunk, from, at + 1);
      const isEmpty = this.#lineBytes === 1 || (this.#lineBytes === 2 && this.#line.charCodeAt(0) === carriageReturn);
      if (isEmpty) this.eventBytes = 0;
      else if (this.#line.startsWith('id:')) this.lastEventId = this.#line.slice(3).trim();
      this.#line = '';
      this.#lineBytes = 0;
      from = at + 1;
    }
    this.#add(chunk, from, chunk.length);
  }

  #add(chunk: Uint8Array, from: number, to: number): void {
    const kept = Math.min(to, from + keptOfLine - this.#line.length);
    if (kept > from) this.#line += Buffer.from(chunk.buffer, chunk.byteOffset + from, kept - from).toString('latin1');
    this.#lineBytes += to - from;
    this.eventBytes += to - from;
  }
}
