/**
 * What one attempt came to, as data: the process that streamed it knows no retry policy. `toApplicationFailure` puts a
 * failed one into the terms of Temporal, whose policy owns the retries of the transport (T4).
 */
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { StreamFailureDetails } from '../../contract/activities.ts';
import type { ModelFailure } from '../../domain/model.ts';
import type { StepResult } from '../../domain/turn/turn-state.ts';

export type AttemptResult =
  | {
      readonly type: 'ended';
      readonly step: StepResult;
      /** The end is another attempt's, or a settlement's, which has fenced this one. */
      readonly isAdopted?: true;
      readonly cause?: unknown;
    }
  /** The calls of tools have their ends, or another process goes on with them: the step is to be claimed again. */
  | { readonly type: 'tools_ended'; readonly cause?: unknown }
  | FailedAttempt;

/** No end was written: the next attempt, or `settleTurn`, decides what becomes of the turn. */
export interface FailedAttempt {
  readonly type: 'failed';
  readonly failure: ModelFailure;
  /** Requests made for this step so far, by all workers; undefined when another attempt has taken the step over. */
  readonly requestsMade?: number;
  readonly mayRetry: boolean;
  /** How long the next attempt is to wait; Temporal's own interval where nothing is said. */
  readonly retryDelayMs?: number;
  /** The error behind it, of which only the class goes into Temporal's history. */
  readonly cause?: unknown;
}

/** The failure for Temporal. Only constant words, codes and numbers: it is stored in plain text (T11). */
export function toApplicationFailure({ failure, requestsMade, mayRetry, retryDelayMs, cause }: FailedAttempt): ApplicationFailure {
  return ApplicationFailure.create({
    message: failure.message,
    type: failure.code,
    nonRetryable: !mayRetry,
    // A failed attempt is in the database and in the turn's outcome: a warning in the log is for our own faults only.
    ...(failure.code === 'internal_error' ? {} : { category: ApplicationFailureCategory.BENIGN }),
    ...(requestsMade === undefined ? {} : { details: [detailsOf(failure, requestsMade)] }),
    ...(retryDelayMs === undefined ? {} : { nextRetryDelay: retryDelayMs }),
    ...(cause instanceof Error ? { cause: new Error(cause.name) } : {}),
  });
}

function detailsOf({ detail, busy, retryAtMs }: ModelFailure, requestsMade: number): StreamFailureDetails {
  return {
    requestsMade,
    ...(detail === undefined ? {} : { detail }),
    ...(busy?.retryAfterMs === undefined ? {} : { retryAfterMs: busy.retryAfterMs }),
    ...(retryAtMs === undefined ? {} : { retryAtMs }),
    ...(busy?.final === true ? { final: true } : {}),
  };
}
