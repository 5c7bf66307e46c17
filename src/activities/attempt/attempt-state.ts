/** What an attempt has come to so far, while it runs, and what its end takes of that. */
import type { AttemptEnd, AttemptFacts, AttemptKey } from '../../domain/turn/attempt.ts';
import type { Budget } from '../../domain/turn/budget.ts';
import type { ModelFailure, ModelFinish } from '../../domain/model.ts';
import { refusesEncrypted } from '../../domain/response/hidden-reasoning.ts';
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
  /** Asked for without encrypted reasoning, and told of none, the provider may take what it has refused. */
  mayLeaveOutReasoning?: boolean;
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
  /** How far its request has come. */
  readonly reached: { sentAtMs?: number; headersAtMs?: number; finishedAtMs?: number };
  /** Its answer, where the provider keeps it. `isBooked`: another process could read it on. */
  keptAnswer?: { readonly isBooked: boolean; readonly stop: () => Promise<void> };
  /** What follows the finish: the end of the turn, or of the step alone. */
  onFinish?: (finish: ModelFinish) => Promise<AttemptResult>;
  /** Does the turn go on behind the finish, by calls of tools or a summary? */
  goesOn?: () => boolean;
}

/**
 * What follows a prompt that is too long, or one with encrypted reasoning that was refused: another step, or another request in
 * this one. Only while nothing of the step has started may anything follow (T2, T3).
 */
export async function afterRefusal(
  { writer, key, onOverflow, mayLeaveOutReasoning }: AttemptState,
  failure: ModelFailure,
): Promise<'compaction' | 'shorter_prompt' | 'without_reasoning' | 'fail'> {
  if (writer.hasStarted) return 'fail';
  const isLast = key.attempt >= requestsPerStep;
  const { providerMessage: words } = failure;
  if (mayLeaveOutReasoning === true && refusesEncrypted({ ...failure, words })) return isLast ? 'fail' : 'without_reasoning';
  if (failure.code !== 'context_length_exceeded' || onOverflow === undefined) return 'fail';
  const next = await onOverflow(failure);
  if (next === 'shorten') return isLast ? 'fail' : 'shorter_prompt';
  return next === 'compact' ? 'compaction' : next;
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

/** The end with what the request has cost, by the provider's count and for the budgets, and with how far it came. */
export function withCost({ usage, meter, reached }: AttemptState, end: AttemptEnd): AttemptEnd {
  const facts: AttemptFacts = { ...reached, ...end.facts };
  return { ...end, ...(usage === null ? {} : { usage }), ...(meter === undefined ? {} : { spent: meter.taken }), facts };
}
