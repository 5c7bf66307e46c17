/**
 * Where a turn stands in the tree of turns, and the chain that ends in it.
 *
 * A branch is a run of turns, each the next one's past, numbered by depth from the root of the tree. A turn that goes on
 * from the tip of a branch joins it; one that goes on from elsewhere begins a branch of its own. So a chain of any
 * length is a few stretches `(branch, up to depth)`, and a page of it, or the place of one item, is a look at an index.
 */
import type { Database } from './database.ts';
import { text } from './rows.ts';

export interface Place {
  readonly branch: string;
  readonly depth: number;
}

/** The turns of a branch up to a depth, inclusive. */
export interface Stretch {
  readonly branch: string;
  readonly upTo: number;
}

export function placeOf(db: Database, turn: string): Place | undefined {
  const row = db.one('SELECT branch, depth FROM turns WHERE id = ? AND branch IS NOT NULL', turn);
  return row === undefined ? undefined : { branch: text(row['branch']), depth: Number(row['depth']) };
}

/**
 * Gives a turn its place behind `previous`, which has one.
 * @param isLast nothing will ever follow: it leaves the tip of the branch to others.
 */
export function place(db: Database, turn: string, previous: Place | undefined, isLast: boolean): void {
  const depth = previous === undefined ? 0 : previous.depth + 1;
  const isTip =
    previous !== undefined && !isLast && db.one('SELECT 1 FROM turns WHERE branch = ? AND depth = ?', previous.branch, depth) === undefined;
  if (!isTip) {
    db.run('INSERT INTO branches (id, parent, parent_depth) VALUES (?, ?, ?)', turn, previous?.branch ?? null, previous?.depth ?? null);
  }
  db.run('UPDATE turns SET branch = ?, depth = ? WHERE id = ?', isTip ? previous.branch : turn, depth, turn);
}

/** The stretches of the chain that ends in `leaf` (inclusive), the oldest first. */
export function stretches(db: Database, leaf: Place): Stretch[] {
  const rows = db.all(
    `WITH RECURSIVE stretch (branch, up_to, parent, parent_depth) AS (
       SELECT id, ?, parent, parent_depth FROM branches WHERE id = ?
       UNION ALL
       SELECT branches.id, stretch.parent_depth, branches.parent, branches.parent_depth
       FROM stretch JOIN branches ON branches.id = stretch.parent
     ) SELECT branch, up_to FROM stretch`,
    leaf.depth,
    leaf.branch,
  );
  return rows.map((row) => ({ branch: text(row['branch']), upTo: Number(row['up_to']) })).toReversed();
}

/** Is this place on the chain that ends in `leaf`? */
export function isOnChain(db: Database, leaf: Place, { branch, depth }: Place): boolean {
  return stretches(db, leaf).some((stretch) => stretch.branch === branch && depth <= stretch.upTo);
}
