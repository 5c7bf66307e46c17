/**
 * A long input is written before its turn, a slice a commit: no transaction holds the lock, and nothing holds the process,
 * for longer than one slice takes (T14). Nobody sees the items before the turn is in; what is left of a killed process, or of
 * a turn that was refused, is dropped.
 */
import { type InputItem, isCall } from '../../domain/item.ts';
import { StoreBusyError } from '../ports/store.ts';
import type { NewTurn } from '../ports/turns.ts';
import type { Place } from './chain.ts';
import { now, run, type SqlDatabase, type Work } from './work.ts';
import { type ItemRow, itemRowAs, writeItems } from './item-rows.ts';
import { Slice } from '../pace.ts';

/** The input as rows: all of them, where they are few; staged already, where they are many. */
export interface PreparedInput {
  readonly rows: readonly ItemRow[];
  readonly isStaged: boolean;
  readonly hasCalls: boolean;
}

/** A call of an input is found under a branch that begins with its turn: where that stands is not known yet. */
export function placeOfInput(turn: string): Place {
  return { branch: turn, depth: 0 };
}

/** @param mayStage asked before the first slice is written: false where the turn will not be taken in */
export async function prepareInput(
  db: SqlDatabase,
  { id: turn, input, json }: NewTurn,
  mayStage: () => Promise<boolean>,
): Promise<PreparedInput | undefined> {
  const hasCalls = input.some(isCall);
  const first = sliceOf(input, json.input, 0);
  if (first.length === input.length) return { rows: first, isStaged: false, hasCalls };
  if (!(await mayStage())) return undefined;
  await db.commit('quick', function* () {
    yield* run('INSERT INTO staged (turn, at) VALUES (?, ?) ON CONFLICT (turn) DO UPDATE SET at = excluded.at', turn, yield* now());
  });
  for (let from = 0, rows = first; from < input.length; rows = sliceOf(input, json.input, from)) {
    const [at, slice] = [from, rows];
    await db.commit('quick', function* () {
      yield* writeItems(turn, at, slice, placeOfInput(turn));
    });
    from += rows.length;
  }
  return { rows: [], isStaged: true, hasCalls };
}

/** In the commit that takes the turn in. @throws `StoreBusyError` where the slices were dropped meanwhile, after a very long wait */
export function* adoptStaged(turn: string): Work<void> {
  if ((yield* run('DELETE FROM staged WHERE turn = ?', turn)) === 0) throw new StoreBusyError('the input took too long to be written');
}

function sliceOf(input: readonly InputItem[], json: readonly string[], from: number): ItemRow[] {
  const slice = new Slice();
  const rows: ItemRow[] = [];
  for (let at = from; at < input.length && !slice.isFull; at += 1) {
    const item = input[at];
    const text = json[at];
    if (item === undefined || text === undefined) break;
    const row = itemRowAs(item, text);
    rows.push(row);
    slice.add(row.json.length);
  }
  return rows;
}
