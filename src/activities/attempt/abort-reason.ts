/** Why an attempt is aborted from our side. Only a cancel that somebody asked for is the user's stop (T9). */
export type AbortReason =
  /** Asked for, through the API or in Temporal. */
  | 'cancelled'
  /** The user has said more: a response that knows of it follows. */
  | 'steered'
  /** This process shuts down. */
  | 'shutdown'
  /** The turn has reached its time limit. */
  | 'deadline'
  /** Another attempt, or a settlement, has raised the journal's epoch. */
  | 'fenced'
  /** A budget is used up: the cause is the limit (`Exceeded`). */
  | 'over_budget'
  /** The answer has grown past the limit of its size. */
  | 'output_too_large'
  /** The database refused a write for good. */
  | 'store_failed';

export class AttemptAborted extends Error {
  override readonly name = 'AttemptAborted';
  readonly reason: AbortReason;
  constructor(reason: AbortReason, cause?: unknown) {
    super(`aborted: ${reason}`, { cause });
    this.reason = reason;
  }
}
