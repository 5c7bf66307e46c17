/**
 * The bytes of a recording. A part is one byte that says how the rest is packed (0: as it is, 1: zstd), and entries, one after
 * the other: a tag, and
 *
 *     1 chunk   at, length (varints), bytes
 *     2 flush   chunk, deltas (varints)
 *     3 others  length (varint), the entry as JSON
 *
 * On the path of every token: a chunk is one copy.
 */
import { zstdCompressSync } from 'node:zlib';
import type { RecordingEntry } from '../../domain/turn/recording.ts';

export const tags = { chunk: 1, flush: 2, json: 3 } as const;
export const packings = { none: 0, zstd: 1 } as const;

/** Below it packing saves less than it costs. */
const packedFromBytes = 400;
const firstBytes = 4_096;
/** Of a varint. */
const longestNumber = 8;

export class RecordingBuffer {
  #bytes = Buffer.allocUnsafe(firstBytes);
  #length = 0;

  /** Of what is held. */
  get length(): number {
    return this.#length;
  }

  chunk(at: number, bytes: Uint8Array): void {
    this.#reserve(1 + 2 * longestNumber + bytes.length);
    this.#byte(tags.chunk);
    this.#number(at);
    this.#data(bytes);
  }

  flush(chunk: number, deltas: number): void {
    this.#reserve(1 + 2 * longestNumber);
    this.#byte(tags.flush);
    this.#number(chunk);
    this.#number(deltas);
  }

  add(entry: Exclude<RecordingEntry, { type: 'chunk' | 'flush' }>): void {
    const json = Buffer.from(JSON.stringify(entry));
    this.#reserve(1 + longestNumber + json.length);
    this.#byte(tags.json);
    this.#data(json);
  }

  /** What is held, as a part; it is held no more. */
  take(): Uint8Array {
    const held = this.#bytes.subarray(0, this.#length);
    const isPacked = held.length >= packedFromBytes;
    const packed = isPacked ? zstdCompressSync(held) : held;
    const part = Buffer.allocUnsafeSlow(packed.length + 1);
    part[0] = isPacked ? packings.zstd : packings.none;
    part.set(packed, 1);
    this.#length = 0;
    return part;
  }

  #byte(value: number): void {
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  /** Seven bits a byte, the lowest first; the eighth says that more follow. */
  #number(value: number): void {
    let rest = value;
    while (rest > 127) {
      this.#byte((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.#byte(rest);
  }

  #data(bytes: Uint8Array): void {
    this.#number(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(more: number): void {
    const wanted = this.#length + more;
    if (wanted <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
