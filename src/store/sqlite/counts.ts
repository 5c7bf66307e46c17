/** What the metrics ask of the database. */
import type { TurnCounts } from '../ports/store.ts';
import type { Database } from './database.ts';

export function counts(db: Database): TurnCounts {
  // The first condition is the one of the index `turns_open`, which a settled turn leaves.
  const rows = db.all(
    `SELECT run_id IS NOT NULL AS claimed, count(*) AS turns FROM turns
     WHERE (settled_at IS NULL OR recorded = 0) AND settled_at IS NULL GROUP BY claimed`,
  );
  const of = (claimed: number): number => Number(rows.find((row) => row['claimed'] === claimed)?.['turns'] ?? 0);
  return { running: of(1), waiting: of(0) };
}

export function newestSeq(db: Database, turn: string): number | undefined {
  const row = db.one('SELECT next_seq - 1 AS newest FROM journal_head WHERE turn = ?', turn);
  return row === undefined ? undefined : Number(row['newest']);
}
