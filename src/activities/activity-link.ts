/**
 * The tie between a run of the activity `streamModel` and Temporal: heartbeats while it lasts, and what Temporal wants of it
 * as one of three words. Decided from Temporal's cancellation details, never from the name of an error.
 */
import { Context } from '@temporalio/activity';
import type { ActivityCancellationDetails } from '@temporalio/common';

export type TemporalWish =
  /** Somebody has cancelled the turn: the one wish that stops the attempt for its user (T5, T9). */
  | 'cancel'
  /** The worker shuts down. */
  | 'shutdown'
  /** Temporal has given this run of the activity up: it timed out, was paused or reset, or its workflow is gone. */
  | 'give_up';

/** Temporal's answer to a heartbeat carries the cancel where the server cannot push it: within 1.2 s (T5). */
const longestHeartbeatIntervalMs = 1_000;

export class ActivityLink implements Disposable {
  readonly #abort = new AbortController();
  /** Kept, because a cancel arrives outside of the activity's async context. */
  readonly #context = Context.current();
  readonly #heartbeat: NodeJS.Timeout;

  constructor() {
    // The first one after a second: Temporal counts from the start, and most turns are over before.
    this.#heartbeat = setInterval(
      () => {
        this.#context.heartbeat();
      },
      Math.min(longestHeartbeatIntervalMs, (this.#context.info.heartbeatTimeoutMs || Number.POSITIVE_INFINITY) / 3),
    );
    const { cancellationSignal } = this.#context;
    if (cancellationSignal.aborted) this.#onCancelled();
    else cancellationSignal.addEventListener('abort', this.#onCancelled, { once: true });
  }

  /** Aborts when Temporal wants something; its reason is a `TemporalWish`. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get wish(): TemporalWish | undefined {
    return this.signal.aborted ? (this.signal.reason as TemporalWish) : undefined;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#heartbeat);
    this.#context.cancellationSignal.removeEventListener('abort', this.#onCancelled);
  }

  readonly #onCancelled = (): void => {
    this.#abort.abort(wishOf(this.#context.cancellationDetails));
  };
}

export function wishOf(details: ActivityCancellationDetails | undefined): TemporalWish {
  if (details === undefined) return 'give_up';
  // A paused or reset activity has `cancelRequested` set too, so these come first.
  if (details.workerShutdown) return 'shutdown';
  if (details.paused || details.reset || details.timedOut || details.notFound) return 'give_up';
  return details.cancelRequested ? 'cancel' : 'give_up';
}
