/**
 * Why an attempt is aborted from our side. Decided from Temporal's cancellation details and our own timers, never from the
 * name of an error: only a cancel that somebody asked for is the user's stop (T9).
 */
import type { ActivityCancellationDetails } from '@temporalio/common';

export type AbortReason =
  /** Asked for, through the API or in Temporal. */
  | 'cancelled'
  /** This worker is shutting down. */
  | 'shutdown'
  /** Temporal has given the attempt up: it timed out, was paused or reset, or its workflow is gone. */
  | 'abandoned'
  /** The turn has reached its time limit. */
  | 'deadline'
  /** Another attempt has raised the journal's epoch. */
  | 'fenced'
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

export function abortReasonOf(details: ActivityCancellationDetails | undefined): AbortReason {
  if (details === undefined) return 'abandoned';
  // A paused or reset activity has `cancelRequested` set too, so these come first.
  if (details.workerShutdown) return 'shutdown';
  if (details.paused || details.reset || details.timedOut || details.notFound) return 'abandoned';
  return details.cancelRequested ? 'cancelled' : 'abandoned';
}
