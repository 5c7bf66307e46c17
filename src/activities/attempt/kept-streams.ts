/** The streams of turns between two of their steps, in memory: the process that wrote one need not read its journal again. */
import type { OutputItem } from '../../domain/item.ts';
import { ResponseStream } from '../../domain/response/response-stream.ts';
import { readStream } from '../../settle/read-stream.ts';
import type { GrantedTurn } from '../../store/ports/journal.ts';
import type { Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';

/** Turns that other processes went on with leave theirs behind: the oldest are dropped. */
const maxKept = 200;

/** Of items that have their end: a stream that is kept gives the same ones to each of its steps. */
const bytesOfItem = new WeakMap<OutputItem, number>();

/** What an answer takes as JSON; each of its items is told once. */
export function bytesOfOutput(output: readonly OutputItem[]): number {
  let bytes = 0;
  for (const item of output) {
    const known = bytesOfItem.get(item) ?? Buffer.byteLength(JSON.stringify(item));
    bytesOfItem.set(item, known);
    bytes += known + 1;
  }
  return bytes;
}

export class KeptStreams {
  readonly #store: Pick<Store, 'readJournal' | 'readHead'>;
  readonly #kept = new Map<string, ResponseStream>();

  constructor(store: Pick<Store, 'readJournal' | 'readHead'>) {
    this.#store = store;
  }

  keep(turn: string, stream: ResponseStream): void {
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size >= maxKept) this.#kept.delete(oldest);
    this.#kept.set(turn, stream);
  }

  /** The stream of a turn that the caller alone may write. */
  async take({ turn, events }: Pick<GrantedTurn, 'turn' | 'events'>): Promise<ResponseStream> {
    const kept = this.#kept.get(turn.id);
    this.#kept.delete(turn.id);
    if (events !== undefined) return ResponseStream.replay(events);
    // Another process may have written on, under a claim of its own.
    if (kept !== undefined) {
      const head = await retryWhileBusy(() => this.#store.readHead(turn.id));
      if (head?.last === kept.nextSeq - 1) return kept;
    }
    return retryWhileBusy(() => readStream(this.#store, turn.id));
  }
}
