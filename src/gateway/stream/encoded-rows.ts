/** Journal rows as server-sent events. Rows that many viewers get are encoded once, for all of them. */
import type { JournalRow } from '../../domain/response-event.ts';

export interface EncodedRows {
  /** The bytes of the rows, the same for every viewer (T7). */
  readonly bytes: Buffer;
  /** The same as one chunk of a chunked body: `bytes` with its length before and a line's end behind. */
  readonly chunk: Buffer;
}

/** By the very array: those who follow a turn at the same place share it (see `Store.follow`). */
const encoded = new WeakMap<readonly JournalRow[], EncodedRows>();

export function encodedRows(rows: readonly JournalRow[]): EncodedRows {
  let frames = encoded.get(rows);
  if (frames === undefined) {
    frames = encode(rows.map(frame).join(''));
    encoded.set(rows, frames);
  }
  return frames;
}

/** `id` is what a browser's EventSource sends back as `Last-Event-ID`. */
function frame({ seq, type, data }: JournalRow): string {
  return `event: ${type}\nid: ${seq}\ndata: ${data}\n\n`;
}

function encode(text: string): EncodedRows {
  const length = Buffer.byteLength(text);
  const size = `${length.toString(16)}\r\n`;
  const chunk = Buffer.from(`${size}${text}\r\n`);
  return { chunk, bytes: chunk.subarray(size.length, size.length + length) };
}
