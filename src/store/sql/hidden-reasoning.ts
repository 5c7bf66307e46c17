/**
 * Encrypted reasoning that no client asked for: in a table of its own, which nothing that is shown to a client is read from. It is
 * written under the epoch of whoever may write the turn, in the commit that ends the step or the turn, and dropped with the items.
 */
import type { HiddenReasoning } from '../../domain/response/hidden-reasoning.ts';
import { all, run, type Work } from './work.ts';
import { text } from './rows.ts';

/** Within the caller's transaction. An answer that was read on by another process brings the same once more. */
export function* writeHiddenReasoning(turn: string, hidden: readonly HiddenReasoning[]): Work<void> {
  for (const { item, maker, encrypted } of hidden) {
    yield* run('DELETE FROM hidden_reasoning WHERE turn = ? AND item = ?', turn, item);
    yield* run('INSERT INTO hidden_reasoning (turn, item, maker, encrypted) VALUES (?, ?, ?, ?)', turn, item, maker, encrypted);
  }
}

export function* readHiddenReasoning(turn: string): Work<HiddenReasoning[]> {
  const rows = yield* all('SELECT item, maker, encrypted FROM hidden_reasoning WHERE turn = ?', turn);
  return rows.map((row) => ({ item: text(row['item']), maker: text(row['maker']), encrypted: text(row['encrypted']) }));
}
