/**
 * An attempt: one HTTP request to the model, as it is booked in the database before it is sent (T2) and closed when it
 * ends. Times are milliseconds since the epoch.
 */
import type { RequestSpent } from './budget.ts';
import type { FailureCause, FailureCode } from '../failure.ts';
import type { KeptResponse, Reattachment } from './kept-response.ts';
import type { RecordingPart } from './recording.ts';
import { sumOfKnown, type Usage } from '../response/response.ts';
import type { RetryReason } from './retry-policy.ts';

export interface AttemptKey {
  readonly turn: string;
  readonly step: number;
  /** 1-based. */
  readonly attempt: number;
}

/** What the end of an attempt is written with. */
export interface AttemptEnd {
  readonly endedAtMs: number;
  readonly outcome: AttemptOutcome;
  readonly code?: FailureCode;
  /** Such as `ECONNRESET` or `429`. */
  readonly detail?: string;
  /** The provider's own words, keys removed. */
  readonly message?: string;
  /** How long the next attempt is to wait. */
  readonly waitMs?: number;
  /** What it cost, if the provider said so, in whatever way it ended. */
  readonly usage?: Usage;
  /** What of it counts against budgets. */
  readonly spent?: RequestSpent;
  readonly facts?: AttemptFacts;
  /** The rest of its recording. */
  readonly recording?: readonly RecordingPart[];
}

/** What the process that ran an attempt knows of it, and tells at its end. Nothing is decided by it. */
export interface AttemptFacts {
  /** The request was written to a connection. */
  readonly sentAtMs?: number;
  /** The headers of the response were here. */
  readonly headersAtMs?: number;
  /** The provider stated its finish. */
  readonly finishedAtMs?: number;
  /** The errors behind its failure, the outermost first. */
  readonly causes?: readonly FailureCause[];
  /** Why another request was to follow, or not. */
  readonly retry?: RetryReason;
}

export type AttemptOutcome = 'completed' | 'incomplete' | 'cancelled' | 'failed' | 'lost';

/**
 * What a turn's answer has cost: of each step, the last request gave what there is of it. What those cost that failed is lost,
 * whether another followed or the turn ended with it: each token is counted on one side.
 * @param attempts in the order in which they were booked
 */
export function usageOf(attempts: readonly Pick<AttemptRow, 'step' | 'usage' | 'outcome'>[]): Usage | null {
  const last = new Map(attempts.filter((attempt) => !isLost(attempt)).map(({ step, usage }) => [step, usage ?? null]));
  return [...last.values()].reduce(sumOfKnown, null);
}

/** Has it brought nothing that a step was ended with? */
export function isLost({ outcome }: Pick<AttemptRow, 'outcome'>): boolean {
  return outcome === 'failed' || outcome === 'lost';
}

export interface AttemptRow extends AttemptKey, Partial<Omit<AttemptEnd, 'endedAtMs' | 'recording'>> {
  readonly requestedAtMs: number;
  readonly firstEventAtMs?: number;
  readonly endedAtMs?: number;
  readonly providerRequestId?: string;
  /** Under which it was booked, or taken over. Absent: an older version booked it. */
  readonly epoch?: number;
  /** The run of the workflow that asked for it; absent where none did, as in a head start. */
  readonly runId?: string;
  /** The journal's last event when it ended, before what its end added. */
  readonly lastSeq?: number;
  /** The process that ran it, the last one of several. */
  readonly holder?: string;
  /** Its answer, where the provider keeps it. */
  readonly keptResponse?: KeptResponse;
  /** In their order; `mostReattachments` of them. */
  readonly reattachments?: readonly Reattachment[];
}
