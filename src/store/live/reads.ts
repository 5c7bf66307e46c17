/**
 * What the followers of one process ask of the database: few questions at a time, however many turns they follow (T14). While
 * the database takes none, it is asked again after pauses that grow, once for all who wait.
 */
import type { JournalRow } from '../../domain/response/response-event.ts';
import { StoreBusyError } from '../ports/store.ts';
import type { BatchLimits, JournalSource, LiveHead } from './source.ts';

/** One statement asks for so many heads: an embedded driver holds up the process for some milliseconds meanwhile. */
const headsAtOnce = 1_000;

/** Journals whose rows are read at once: most connections are left to everybody else. */
const rowsAtOnce = 3;

const firstPauseMs = 20;
const longestPauseMs = 1_000;

/** **Contract.** Nothing of it throws. Once `isDone`, it is not asked for, and need not be told. */
export interface HeadReader {
  readonly turn: string;
  readonly isDone: boolean;
  /** @param head undefined: there is no journal (any more) */
  see(head: LiveHead | undefined): void;
  /** The head cannot be read. */
  fail(error: unknown): void;
}

/** Heads, by one statement at a time. Whoever asks while one is under way is in the next: what it sees was read after it has asked. */
export class HeadReads {
  readonly #source: JournalSource;
  readonly #asked = new Set<HeadReader>();
  readonly #later = new Set<HeadReader>();
  #isReading = false;

  constructor(source: JournalSource) {
    this.#source = source;
  }

  ask(reader: HeadReader): void {
    this.#asked.add(reader);
    if (!this.#isReading) void this.#readAll();
  }

  /** Behind those who are asked for one by one, somebody of whom is known to wait. */
  askForAll(readers: Iterable<HeadReader>): void {
    for (const reader of readers) this.#later.add(reader);
    if (!this.#isReading) void this.#readAll();
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    // All that are asked for in this tick: those that one notification names, or that a crowd joins.
    await Promise.resolve();
    let pauseMs = firstPauseMs;
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      try {
        const heads = await this.#source.readHeads(batch.map(({ turn }) => turn));
        pauseMs = firstPauseMs;
        for (const reader of batch) reader.see(heads.get(reader.turn));
      } catch (error) {
        if (error instanceof StoreBusyError) {
          for (const reader of batch) this.#asked.add(reader);
          await pause(pauseMs);
          pauseMs = Math.min(pauseMs * 2, longestPauseMs);
        } else for (const reader of batch) reader.fail(error);
      }
    }
    this.#isReading = false;
  }

  #take(): HeadReader[] {
    const batch = new Set<HeadReader>();
    for (const waiting of [this.#asked, this.#later]) {
      for (const reader of waiting) {
        if (batch.size === headsAtOnce) return [...batch];
        waiting.delete(reader);
        if (!reader.isDone) batch.add(reader);
      }
    }
    return [...batch];
  }
}

/** Rows of a few journals at a time, in the order in which they were asked for. */
export class RowReads {
  readonly #source: JournalSource;
  readonly #waiting: (() => void)[] = [];
  #free = rowsAtOnce;

  constructor(source: JournalSource) {
    this.#source = source;
  }

  /**
   * See `JournalSource.readRows`; asks again while the database is busy.
   * @param isWanted false: nobody waits for them any more
   * @returns undefined where they are not wanted any more
   */
  async read(turn: string, after: number, limits: BatchLimits, isWanted: () => boolean): Promise<readonly JournalRow[] | undefined> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      for (let pauseMs = firstPauseMs; isWanted(); pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
        try {
          return await this.#source.readRows(turn, after, limits);
        } catch (error) {
          if (!(error instanceof StoreBusyError)) throw error;
          await pause(pauseMs);
        }
      }
      return undefined;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** It keeps no process alive. */
async function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
