/** The streams of turns between two of their steps, in memory: the process that wrote one need not read its journal again. */
import { ResponseStream } from '../../domain/response-stream.ts';
import { readStream } from '../../settle/read-stream.ts';
import type { GrantedTurn } from '../../store/ports/journal.ts';
import type { Store } from '../../store/ports/store.ts';

/** Turns that other processes went on with leave theirs behind: the oldest are dropped. */
const maxKept = 200;

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
    if (kept !== undefined && (await this.#store.readHead(turn.id))?.last === kept.nextSeq - 1) return kept;
    return readStream(this.#store, turn.id);
  }
}
