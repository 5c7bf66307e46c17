/**
 * Where a turn stands in the tree of turns, and the chain that ends in it.
 *
 * A branch is a run of turns, each the next one's past, numbered by depth from the root of the tree. A turn that goes on
 * from the tip of a branch joins it; one that goes on from elsewhere begins a branch of its own. So a chain of any
 * length is a few stretches `(branch, up to depth)`, and a page of it, or the place of one item, is a look at an index.
 */
import { all, one, run, type Row, type Work } from './work.ts';
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

export function* placeOf(turn: string): Work<Place | undefined> {
  return placeIn(yield* one('SELECT branch, depth FROM turns WHERE id = ?', turn));
}

/** Of the columns `branch, depth`; undefined for a turn that has none yet. */
export function placeIn(row: Row | undefined): Place | undefined {
  return row === undefined || row['branch'] === null ? undefined : { branch: text(row['branch']), depth: Number(row['depth']) };
}

/**
 * The place of a turn behind `previous`, which has one. The turn is to be written there in the same commit.
 * @param beginsBranch it leaves the tip of the branch to others
 */
export function* placeBehind(turn: string, previous: Place | undefined, beginsBranch: boolean): Work<Place> {
  if (previous === undefined) return { branch: turn, depth: 0 };
  const depth = previous.depth + 1;
  const isTip = !beginsBranch && (yield* one('SELECT 1 FROM turns WHERE branch = ? AND depth = ?', previous.branch, depth)) === undefined;
  if (isTip) return { branch: previous.branch, depth };
  yield* run('INSERT INTO branches (id, parent, parent_depth) VALUES (?, ?, ?)', turn, previous.branch, previous.depth);
  return { branch: turn, depth };
}

/** The stretches of the chain that ends in `leaf` (inclusive), the oldest first. */
export function* stretches(leaf: Place): Work<Stretch[]> {
  const rows = yield* all(
    `WITH RECURSIVE stretch (branch, up_to) AS (
       SELECT CAST(? AS TEXT), CAST(? AS BIGINT) UNION ALL SELECT parent, parent_depth FROM stretch JOIN branches ON branches.id = stretch.branch
     ) SELECT branch, up_to FROM stretch`,
    leaf.branch,
    leaf.depth,
  );
  return rows.map((row) => ({ branch: text(row['branch']), upTo: Number(row['up_to']) })).toReversed();
}

/** Is this place on the chain that ends in `leaf`? */
export function* isOnChain(leaf: Place, { branch, depth }: Place): Work<boolean> {
  return (yield* stretches(leaf)).some((stretch) => stretch.branch === branch && depth <= stretch.upTo);
}

/** Does a turn that is kept go on from this place? */
export function* hasNext({ branch, depth }: Place): Work<boolean> {
  const isKept = `erased_by IS DISTINCT FROM 'retention' LIMIT 1`;
  return (
    (yield* one(`SELECT 1 FROM turns WHERE branch = ? AND depth = ? AND ${isKept}`, branch, depth + 1)) !== undefined ||
    (yield* one(
      `SELECT 1 FROM branches JOIN turns USING (id) WHERE branches.parent = ? AND parent_depth = ? AND ${isKept}`,
      branch,
      depth,
    )) !== undefined
  );
}
