/**
 * Why a stream is stopped from our side. Decided from Temporal's cancellation details and our own clocks,
 * never from the name of an error: only a cancel that somebody asked for is the user's stop (T9).
 */
import type { ActivityCancellationDetails } from '@temporalio/common';

export type AbortReason =
  /** Asked for, through the API or in Temporal. */
  | 'cancelled'
  /** This worker is shutting down. */
  | 'shutdown'
  /** Temporal gave the attempt up: timed out, paused, reset, or its workflow is gone. */
  | 'abandoned'
  /** The turn's own limit. */
  | 'deadline'
  /** Another attempt holds the journal. */
  | 'fenced'
  /** The database refused a write for good. */
  | 'store_failed';

export class AttemptAborted extends Error {
  override readonly name = 'Stop';
  readonly reason: AbortReason;
  constructor(reason: AbortReason, cause?: unknown) {
    super(`stopped: ${reason}`, { cause });
    this.reason = reason;
  }
}

export function abortReasonOf(details: ActivityCancellationDetails | undefined): AbortReason {
  if (details === undefined) return 'abandoned';
  // A paused or reset activity is also told `cancelRequested`-like things: these are looked at first.
  if (details.workerShutdown) return 'shutdown';
  if (details.paused || details.reset || details.timedOut || details.notFound) return 'abandoned';
  return details.cancelRequested ? 'cancelled' : 'abandoned';
}
