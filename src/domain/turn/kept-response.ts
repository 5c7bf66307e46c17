/**
 * An answer that its provider keeps, and goes on with while nobody reads it (background mode, opt-in). An attempt whose stream
 * broke, or whose worker died, is gone on with by reading that answer on: no new request (T2), and no new attempt.
 */

/** Booked with the attempt before anything of the answer is shown. */
export interface KeptResponse {
  /** The provider's own id of it. */
  readonly id: string;
  /** The journal's last row before the answer: those behind it are its beginning, by whatever process they were written. */
  readonly after: number;
}

/** The answer was read on. */
export interface Reattachment {
  readonly atMs: number;
  /** The number of the provider's last event before the break; absent where another worker reads the answer from its beginning. */
  readonly after?: number;
  /** Such as `ECONNRESET`, `end_of_stream`, `worker_lost`, `worker_shutdown`. */
  readonly reason: string;
}

/** So many are noted of an attempt, the first ones: a line that breaks all the time fills no database. */
export const mostReattachments = 50;

/**
 * How long after the end of its lease an answer is left to a worker that may read it on. Where no worker comes, and where there
 * is none, it ends as ever: the law stands.
 */
export function reattachPatienceMs({ hasWorker }: { readonly hasWorker: boolean }): number {
  return hasWorker ? 600_000 : 30_000;
}
