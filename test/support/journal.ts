/** A turn's journal written by hand, by one process or by several in turns. */
import assert from 'node:assert/strict';
import type { JournalRow } from '../../src/domain/response-event.ts';
import { newResponse } from '../../src/domain/response.ts';
import type { NewTurn, Store } from '../../src/store/ports/store.ts';

export class Journal {
  readonly turn: string;
  /** All that was written, in order. */
  readonly rows: JournalRow[];
  readonly #epoch: number;
  readonly #settings: NewTurn['settings'];

  private constructor(turn: NewTurn, epoch: number) {
    this.turn = turn.id;
    this.rows = [...turn.events];
    this.#epoch = epoch;
    this.#settings = turn.settings;
  }

  static async open(store: Store, turn: NewTurn): Promise<Journal> {
    await store.insertTurn(turn);
    const claim = await store.claim({ turn: turn.id, step: 1, atMs: 2_000, workflowId: 'turn/a', runId: 'run' });
    assert.equal(claim.type, 'granted');
    return new Journal(turn, claim.epoch);
  }

  /** @param chars of each row, about */
  async append(store: Store, count: number, chars = 1): Promise<void> {
    const rows = Array.from({ length: count }, (_, at) => this.#row(this.rows.length + at, 'response.output_text.delta', chars));
    assert.equal(await store.append({ turn: this.turn, epoch: this.#epoch, rows }), true);
    this.rows.push(...rows);
  }

  async seal(store: Store): Promise<void> {
    const row = this.#row(this.rows.length, 'response.completed', 1);
    const response = newResponse({ id: this.turn, createdAtMs: 1, settings: this.#settings, session: null, previous: null });
    const settled = { status: 'completed', code: null } as const;
    const { turn } = this;
    assert.equal(
      await store.seal({ isStored: true, turn, epoch: this.#epoch, rows: [row], response, output: [], settled, atMs: 9, usage: null }),
      true,
    );
    this.rows.push(row);
  }

  #row(seq: number, type: string, chars: number): JournalRow {
    // Not ASCII: lengths in bytes and in characters differ.
    return { seq, type, data: JSON.stringify({ type, sequence_number: seq, delta: 'ü'.repeat(chars) }) };
  }
}
