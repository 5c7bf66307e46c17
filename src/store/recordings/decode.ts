/** Reads the bytes of a recording (`encode.ts`): the runs of a turn, each with its entries in the order in which they were made. */
import { zstdDecompressSync } from 'node:zlib';
import type { RecordingEntry, RecordingPart } from '../../domain/turn/recording.ts';
import { packings, tags } from './encode.ts';

/** One run of an attempt. */
export interface RecordedRun {
  readonly step: number;
  readonly attempt: number;
  readonly epoch: number;
  readonly entries: readonly RecordingEntry[];
}

/**
 * @param parts of one turn, in any order
 * @returns in the order of their claims
 * @throws Error for bytes that are no recording, or are one of a later version
 */
export function decodeRecordings(parts: readonly RecordingPart[]): readonly RecordedRun[] {
  const runs = Map.groupBy(
    parts.toSorted((one, other) => one.epoch - other.epoch || one.part - other.part),
    ({ epoch }) => epoch,
  );
  return Array.from(runs.values(), (ofRun) => {
    const { step, attempt, epoch } = ofRun[0] as RecordingPart;
    return { step, attempt, epoch, entries: ofRun.flatMap(({ data }) => entriesOf(data)) };
  });
}

function entriesOf(data: Uint8Array): readonly RecordingEntry[] {
  const rest = data.subarray(1);
  if (data[0] !== packings.none && data[0] !== packings.zstd) throw new Error('the recording is of a later version, or damaged');
  const reader = new Reader(data[0] === packings.zstd ? zstdDecompressSync(rest) : rest);
  const entries: RecordingEntry[] = [];
  while (!reader.isAtEnd) entries.push(entryOf(reader));
  return entries;
}

function entryOf(reader: Reader): RecordingEntry {
  const tag = reader.byte();
  if (tag === tags.chunk) return { type: 'chunk', at: reader.number(), bytes: reader.data() };
  if (tag === tags.flush) return { type: 'flush', chunk: reader.number(), deltas: reader.number() };
  if (tag === tags.json) return JSON.parse(Buffer.from(reader.data()).toString('utf8')) as RecordingEntry;
  throw new Error('the recording is of a later version, or damaged');
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new Error('the recording is damaged: it ends within an entry');
    this.#at += 1;
    return byte;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }

  data(): Uint8Array {
    const length = this.number();
    if (this.#at + length > this.#bytes.length) throw new Error('the recording is damaged: it ends within an entry');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
