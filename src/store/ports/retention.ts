/** The port for what is dropped: turns that their owner deletes, that were not to be stored, or that are past retention. */

/**
 * **Contract**, besides that of `Store`. What others go on from is kept: the words of a turn stay while a session or a
 * later turn that is kept has them in its past. Whoever follows a journal that is dropped is cut off with
 * `JournalGoneError` within about a second. `purgeUnstored` and `expire` do one bounded round, so that others may write
 * in between: call them again until they return 0.
 */
export interface RetentionStore {
  /** Durably. False when the tenant has no such turn, or it is not settled. */
  deleteTurn(tenant: string, publicId: string, atMs: number): Promise<boolean>;

  /** Turns that were not to be stored, once ended, and cancels whose turn never came. Returns how many turns it dropped. */
  purgeUnstored(cut: UnstoredCut): Promise<number>;

  /**
   * Journals, then turns and sessions that ended before the cut. Of a turn a stub stays that says there was one, until
   * it is that old again. Returns how many rows of each kind it took, all in all.
   */
  expire(cut: RetentionCut): Promise<number>;
}

/** Times are milliseconds since the epoch. */
export interface UnstoredCut {
  /** Those whose end a client has acknowledged, settled before this. */
  readonly acknowledgedBeforeMs: number;
  /** All others, settled before this. */
  readonly settledBeforeMs: number;
}

/** Times are milliseconds since the epoch. */
export interface RetentionCut {
  readonly beforeMs: number;
  readonly atMs: number;
  /** Of each kind, in one round. */
  readonly limit: number;
}
