/** A turn's journal written by hand, by one process or by several in turns. */
import assert from 'node:assert/strict';
import { type JournalRow, journalRowOf } from '../../src/domain/response/response-event.ts';
import type { NewTurn, Store } from '../../src/store/ports/store.ts';
import { claimed, sealOf } from '../store/contract.ts';

export class Journal {
  readonly turn: string;
  /** All that was written, in order. */
  readonly rows: JournalRow[];
  readonly #epoch: number;

  private constructor(turn: string, epoch: number, rows: readonly JournalRow[]) {
    this.turn = turn;
    this.rows = [...rows];
    this.#epoch = epoch;
  }

  static async open(store: Store, turn: NewTurn): Promise<Journal> {
    await store.insertTurn(turn);
    const { epoch, events } = await claimed(store, turn.id);
    assert.ok(events);
    return new Journal(turn.id, epoch, events.map(journalRowOf));
  }

  /** @param chars of each row, about */
  async append(store: Store, count: number, chars = 1): Promise<void> {
    const rows = Array.from({ length: count }, (_, at) => this.#row(this.rows.length + at, 'response.output_text.delta', chars));
    assert.equal(await store.append({ turn: this.turn, epoch: this.#epoch, rows }), true);
    this.rows.push(...rows);
  }

  async seal(store: Store): Promise<void> {
    const row = this.#row(this.rows.length, 'response.completed', 1);
    assert.equal((await store.seal(sealOf(this.turn, this.#epoch, { rows: [row] }))).type, 'sealed');
    this.rows.push(row);
  }

  #row(seq: number, type: string, chars: number): JournalRow {
    // Not ASCII: lengths in bytes and in characters differ.
    return { seq, type, data: JSON.stringify({ type, sequence_number: seq, delta: 'ü'.repeat(chars) }) };
  }
}
