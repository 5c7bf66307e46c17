/**
 * The streams of running turns that somebody asks for again and again, such as a client that polls a background response:
 * kept in memory as far as they were read, so that each look reads only the rows behind (T14).
 *
 * Only ever a copy of what the journal says: what is dropped here is read anew. A stream is dropped once it has ended, when
 * nobody has asked for it lately, and when there are too many, the one unused the longest first.
 */
import type { JournalRow, ResponseEvent } from '../domain/response/response-event.ts';
import { ResponseStream } from '../domain/response/response-stream.ts';
import type { ResponseObject } from '../domain/response/response.ts';
import { finalEventOf } from '../domain/turn/turn-outcome.ts';
import { eventOf, type JournalReader, readPages } from './read-stream.ts';

export interface StreamLimits {
  readonly streams: number;
  /** Of the events' text in all streams together, about as much as they take in memory. */
  readonly chars: number;
  /** A stream that nobody has asked for in this time is dropped. */
  readonly idleMs: number;
}

const defaultLimits: StreamLimits = { streams: 1_000, chars: 64 * 1024 * 1024, idleMs: 30_000 };

/** Only of these is it known what they carry: events of items that are passed on may carry anything. */
const finalTypes: ReadonlySet<string> = new Set(Object.values(finalEventOf));

interface RunningStream {
  stream: ResponseStream | undefined;
  /** The number of the last row in it. */
  last: number;
  chars: number;
  usedAt: number;
  /** It says nothing of the journal any more: somebody has taken it to end it, or a read of it went wrong. */
  isVoid: boolean;
  /** Looks at one turn come one after the other. */
  reading: Promise<unknown>;
}

export class RunningStreams {
  readonly #store: JournalReader;
  readonly #limits: StreamLimits;
  /** The one used last comes last. */
  readonly #streams = new Map<string, RunningStream>();
  #chars = 0;
  #dropping: NodeJS.Timeout | undefined;

  constructor(store: JournalReader, limits = defaultLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  /** How many are kept. */
  get size(): number {
    return this.#streams.size;
  }

  /** The response as it stands. @throws when the turn has no journal (any more) */
  async response(turn: string): Promise<ResponseObject> {
    return this.#look(turn, (stream) => stream.response);
  }

  /** The stream for one who will end it: nobody else has it after. @throws when the turn has no journal (any more) */
  async take(turn: string): Promise<ResponseStream> {
    return this.#look(turn, (stream, kept) => {
      kept.isVoid = true;
      this.#drop(turn, kept);
      return stream;
    });
  }

  /** @param use called with the stream as it stands, before anybody else may touch it */
  async #look<T>(turn: string, use: (stream: ResponseStream, kept: RunningStream) => T): Promise<T> {
    const kept = this.#keep(turn);
    const look = async (): Promise<T> => {
      if (kept.isVoid) return this.#look(turn, use);
      return use(await this.#readOn(turn, kept), kept);
    };
    const looked = kept.reading.then(look, look);
    kept.reading = looked;
    return looked;
  }

  #keep(turn: string): RunningStream {
    const known = this.#streams.get(turn);
    const kept = known ?? { stream: undefined, last: -1, chars: 0, usedAt: 0, isVoid: false, reading: Promise.resolve() };
    kept.usedAt = performance.now();
    this.#streams.delete(turn);
    this.#streams.set(turn, kept);
    this.#dropping ??= setInterval(() => {
      this.#dropIdle();
    }, this.#limits.idleMs).unref();
    return kept;
  }

  async #readOn(turn: string, kept: RunningStream): Promise<ResponseStream> {
    try {
      for await (const rows of readPages(this.#store, turn, kept.last)) {
        const events = rows.map(eventOf);
        if (kept.stream === undefined) kept.stream = ResponseStream.replay(events);
        else kept.stream.readOn(events);
        kept.last = rows.at(-1)?.seq ?? kept.last;
        this.#count(turn, kept, rows, events);
      }
      if (kept.stream === undefined) throw new Error(`there is no journal of ${turn}`);
      return kept.stream;
    } catch (error) {
      // Perhaps in the midst of a page: what is kept is not to be trusted.
      kept.isVoid = true;
      this.#drop(turn, kept);
      throw error;
    }
  }

  #count(turn: string, kept: RunningStream, rows: readonly JournalRow[], events: readonly ResponseEvent[]): void {
    const isKept = this.#streams.get(turn) === kept;
    for (const [index, event] of events.entries()) {
      // Of a delta the text alone stays in memory.
      const chars = 'delta' in event && typeof event.delta === 'string' ? event.delta.length : (rows[index]?.data.length ?? 0);
      kept.chars += chars;
      if (isKept) this.#chars += chars;
    }
    if (events.some(({ type }) => finalTypes.has(type))) this.#drop(turn, kept);
    for (const [oldest, unused] of this.#streams) {
      if (this.#streams.size <= this.#limits.streams && this.#chars <= this.#limits.chars) return;
      this.#drop(oldest, unused);
    }
  }

  #dropIdle(): void {
    const usedBefore = performance.now() - this.#limits.idleMs;
    for (const [turn, kept] of this.#streams) if (kept.usedAt < usedBefore) this.#drop(turn, kept);
  }

  /** Whoever looks at it just now still gets what it looked for. */
  #drop(turn: string, kept: RunningStream): void {
    if (this.#streams.get(turn) !== kept) return;
    this.#streams.delete(turn);
    this.#chars -= kept.chars;
    if (this.#streams.size > 0) return;
    clearInterval(this.#dropping);
    this.#dropping = undefined;
  }
}
