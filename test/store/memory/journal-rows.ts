import type { Append } from '../../../src/store/ports/journal.ts';
import type { MemoryDatabase, StoredTurn } from './database.ts';

/** The turn; undefined, and nothing written, when this epoch may not write these rows. */
export function writeRows(
  { turns }: MemoryDatabase,
  { turn, epoch, rows }: Pick<Append, 'turn' | 'epoch' | 'rows'>,
): StoredTurn | undefined {
  const stored = turns.get(turn);
  const journal = stored?.journal;
  if (journal?.epoch !== epoch || journal.isSealed) return undefined;
  if (rows[0] !== undefined && rows[0].seq !== journal.rows.length) return undefined;
  stored!.journal = { ...journal, rows: [...journal.rows, ...rows] };
  return stored;
}
