/** What an attempt has come to so far, while it runs, and what its end takes of that. */
import type { AttemptEnd, AttemptKey } from '../../domain/turn/attempt.ts';
import type { Budget } from '../../domain/turn/budget.ts';
import type { ModelFailure, ModelFinish } from '../../domain/model.ts';
import type { Usage } from '../../domain/response/response.ts';
import { requestsPerStep } from '../../domain/turn/retry-policy.ts';
import type { Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import type { AttemptResult } from './attempt-result.ts';
import type { BudgetMeter } from './budget-meter.ts';
import type { JournalWriter } from './journal-writer.ts';
import type { Tape } from './tape.ts';

/** An attempt while it runs: where it writes, and what it has come to so far. */
export interface AttemptState {
  readonly store: Store;
  readonly writer: JournalWriter;
  readonly tape: Tape;
  readonly key: AttemptKey;
  readonly epoch: number;
  readonly onReady: (turn: string) => void;
  readonly budget: Budget | undefined;
  /** What of it is left; absent until it is read. */
  meter?: BudgetMeter;
  /** What follows a prompt that is too long: the step that compacts it, or a shorter one in this step. Absent: the turn fails. */
  onOverflow?: (failure: ModelFailure) => Promise<'compact' | 'shorten' | 'fail'>;
  /** The end of the turn's time, by `performance.now()`. */
  readonly deadlineAt: number;
  /** Of the steps before this one. */
  readonly earlierUsage: Usage | null;
  /** As the provider last counted it; null before it has said anything. */
  usage: Usage | null;
  /** That served the request, if the provider named it. */
  serviceTier?: string;
  /** The provider's own statement that its answer is at its end (T8). */
  finish?: ModelFinish;
  /** Its answer, where the provider keeps it. `isBooked`: another process could read it on. */
  keptAnswer?: { readonly isBooked: boolean; readonly stop: () => Promise<void> };
  /** What follows the finish: the end of the turn, or of the step alone. */
  onFinish?: (finish: ModelFinish) => Promise<AttemptResult>;
  /** Does the turn go on behind the finish, by calls of tools or a summary? */
  goesOn?: () => boolean;
}

/** A prompt that is too long is refused before anything of the step has started: only then may anything follow it (T2, T3). */
export async function afterOverflow(
  { writer, key, onOverflow }: AttemptState,
  failure: ModelFailure,
): Promise<'compact' | 'shorten' | 'fail'> {
  if (failure.code !== 'context_length_exceeded' || writer.hasStarted || onOverflow === undefined) return 'fail';
  const next = await onOverflow(failure);
  return next === 'shorten' && key.attempt >= requestsPerStep ? 'fail' : next;
}

/** How long the turn's time has been over, ms. */
export function overMs({ tape, deadlineAt }: AttemptState): number {
  return tape.reading(performance.now() - deadlineAt);
}

/** The end of the attempt where that is not the end of its step or turn, with the rest of its recording. */
export async function bookEnd(attempt: AttemptState, end: AttemptEnd): Promise<void> {
  const { store, key, epoch, tape } = attempt;
  const whole = { ...withCost(attempt, end), recording: tape.end() };
  await retryWhileBusy(() => store.endAttempt(key, epoch, whole));
}

/** The end with what the request has cost, by the provider's count and for the budgets. */
export function withCost({ usage, meter }: AttemptState, end: AttemptEnd): AttemptEnd {
  return { ...end, ...(usage === null ? {} : { usage }), ...(meter === undefined ? {} : { spent: meter.taken }) };
}
