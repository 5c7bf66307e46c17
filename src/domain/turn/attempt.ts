/**
 * An attempt: one HTTP request to the model, as it is booked in the database before it is sent (T2) and closed when it
 * ends. Times are milliseconds since the epoch.
 */
import type { RequestSpent } from './budget.ts';
import type { FailureCode } from '../failure.ts';
import type { KeptResponse, Reattachment } from './kept-response.ts';
import type { RecordingPart } from './recording.ts';
import { sumOfKnown, type Usage } from '../response/response.ts';

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
  /** The rest of its recording. */
  readonly recording?: readonly RecordingPart[];
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
  /** The process that ran it, the last one of several. */
  readonly holder?: string;
  /** Its answer, where the provider keeps it. */
  readonly keptResponse?: KeptResponse;
  /** In their order; `mostReattachments` of them. */
  readonly reattachments?: readonly Reattachment[];
}
