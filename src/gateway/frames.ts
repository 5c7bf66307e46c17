/** Journal rows as server-sent events. Rows that many viewers get are encoded once, for all of them. */
import type { JournalRow } from '../client/turnkeep.ts';

/** By the very array: those who follow a turn at the same place share it (see `Store.follow`). */
const encoded = new WeakMap<readonly JournalRow[], Buffer>();

/** The bytes of these rows, the same for every viewer (T7). */
export function framesOf(rows: readonly JournalRow[]): Buffer {
  let frames = encoded.get(rows);
  if (frames === undefined) {
    frames = Buffer.from(rows.map(frame).join(''));
    encoded.set(rows, frames);
  }
  return frames;
}

/** `id` is what a browser's EventSource sends back as `Last-Event-ID`. */
function frame({ seq, type, data }: JournalRow): string {
  return `event: ${type}\nid: ${seq}\ndata: ${data}\n\n`;
}
