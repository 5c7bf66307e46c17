/** The port for what is dropped: turns that their owner deletes, that were not to be stored, or that are past retention. */
import type { Lease } from './leases.ts';

/**
 * **Contract**, besides that of `Store`. What others go on from is kept: the words of a turn stay while a session or a
 * later turn that is kept has them in its past. Whoever follows a journal that is dropped is cut off with
 * `JournalGoneError` within about a second.
 *
 * `purgeUnstored` and `expire` do a slice of the work, one commit of some hundred rows, so that others may write in
 * between. What is half dropped is hidden, and goes on where it stopped, in whatever process. One process at a time is to
 * do it: ask `lead` first.
 */
export interface RetentionStore {
  /**
   * May this process carry out the task from now on, for as long as the lease is renewed by asking again? Of all that ask
   * one may, until its lease has run out. All ask for leases of the same length: one that lasts longer, because the clock
   * was set back, holds nobody off.
   */
  lead(task: string, lease: Lease): Promise<boolean>;

  /** Gone for its owner at once, and durably, with all that it said when this resolves. False when there is no such turn, or it is not settled. */
  deleteTurn(tenant: string, publicId: string, atMs: number): Promise<boolean>;

  /**
   * Turns that were not to be stored, once ended; cancels whose turn never came; what a killed process has begun to erase,
   * or to write. Returns how many rows it took: 0 when there is nothing left.
   */
  purgeUnstored(cut: UnstoredCut): Promise<number>;

  /**
   * Sessions, journals and turns that ended before the cut. Of a turn a stub stays that says there was one, until it is
   * that old again. Returns where to go on with the same cut; undefined when all is done.
   */
  expire(cut: RetentionCut, from?: RetentionCursor): Promise<RetentionCursor | undefined>;
}

/** Times are milliseconds since the epoch. */
export interface UnstoredCut {
  /** Those whose end a client has acknowledged, settled before this. */
  readonly acknowledgedBeforeMs: number;
  /** All others, settled before this. */
  readonly settledBeforeMs: number;
  /**
   * Those of workflows of somebody's own, acknowledged or not: a viewer that has read one says nothing of its workflow, and that one
   * may have to read it again. As all others where nothing is said.
   */
  readonly ownedBeforeMs?: number;
}

/** Times are milliseconds since the epoch. */
export interface RetentionCut {
  readonly beforeMs: number;
  readonly atMs: number;
}

/** Ids of turns: from the first on, and before the second. */
export type IdRange = readonly [from: string, to: string];

/** How far the sweep has got: of the driver's own. */
export interface RetentionCursor {
  readonly phase: 'sessions' | 'turns' | 'hidden' | 'stubs';
  /** The last that was looked at, and is not to be looked at again. */
  readonly after?: { readonly atMs: number; readonly key: string | number };
  /** The last one is still there, since the database fails with it in particular: the others are dropped all the same. */
  readonly failed?: { readonly turn: string; readonly error: unknown };
  /** Turns whose journals the driver drops all at once, when the last of them is past retention: until then they are hidden. */
  readonly wholeRanges?: readonly IdRange[];
  /** Turns some of whose journals stay for long: those that were hidden, to be dropped with the others, are deleted one by one. */
  readonly brokenRanges?: readonly IdRange[];
}
