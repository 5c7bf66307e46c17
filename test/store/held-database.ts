/** One journal in a database that answers when a test lets it: what is read and what is pushed can meet in every order. */
import assert from 'node:assert/strict';
import type { JournalRow } from '../../src/domain/response/response-event.ts';
import type { BatchLimits, ChangeSignal, ChangeWatcher, JournalSource, LiveHead } from '../../src/store/live/source.ts';
import { theirTurn } from './contract-follow.ts';

export type Rows = readonly JournalRow[];

/** Reads are answered, and commits of other processes signalled, when the test says so. */
export class HeldDatabase implements JournalSource, ChangeSignal {
  readonly rows: JournalRow[] = [];
  isSealed = false;
  /** How a read reaches the database, or its answer comes back: at once, unless a test holds it. */
  trip: (what: string) => Promise<unknown> = () => Promise.resolve();
  readonly reads: string[] = [];
  readonly watchers = new Set<ChangeWatcher>();

  /** Writes rows, and hands them to whoever is to announce them. */
  commit(count: number, chars = 2): Rows {
    const written = Array.from({ length: count }, (_, at) => ({ seq: this.rows.length + at, type: 'x', data: 'x'.repeat(chars) }));
    this.rows.push(...written);
    return written;
  }

  signal(): void {
    for (const watcher of this.watchers) watcher.onChange();
  }

  /** All turns have the same journal. */
  async readHeads(turns: readonly string[]): Promise<ReadonlyMap<string, LiveHead>> {
    return this.#read(turns.length === 1 ? 'head' : `${turns.length} heads`, () => {
      const head = { last: this.rows.length - 1, isSealed: this.isSealed };
      return new Map(turns.map((turn) => [turn, head]));
    });
  }

  async readRows(_turn: string, after: number, limits: BatchLimits): Promise<Rows> {
    return this.#read(`rows after ${after}`, () => {
      let chars = 0;
      const full = this.rows.findIndex(({ seq, data }) => seq > after && (chars += data.length) >= limits.chars);
      return this.rows.slice(after + 1, Math.min(after + limits.rows, full === -1 ? Infinity : full) + 1);
    });
  }

  watch(watcher: ChangeWatcher): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  async #read<T>(what: string, look: () => T): Promise<T> {
    this.reads.push(what);
    await this.trip(`ask for the ${what}`);
    const seen = look();
    await this.trip(`bring the ${what}`);
    return seen;
  }
}

/** Holds each trip until the test releases it by name. */
export class Gate {
  readonly #held = new Map<string, () => void>();

  readonly hold = (what: string): Promise<void> => new Promise((resolve) => this.#held.set(what, resolve));

  get held(): string[] {
    return [...this.#held.keys()];
  }

  async release(what: string): Promise<void> {
    // Whatever is asked for in one tick is asked for together.
    await theirTurn();
    const go = this.#held.get(what);
    assert.ok(go, `${what} is not under way, but ${this.held.join(', ')}`);
    this.#held.delete(what);
    go();
    await theirTurn();
  }
}
