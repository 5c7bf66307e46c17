/**
 * Compaction within a turn. A request whose prompt the model's context does not hold ends its step; the next step asks the model
 * for a summary, which becomes an item of the answer; the one behind it asks again, with the summary in the place of what was
 * said before. All of it is decided by the requests that are booked, so that every worker decides the same. Pure.
 */
import type { Compaction } from './agent.ts';
import type { AttemptRow } from './attempt.ts';
import type { ResponseSettings } from './response-settings.ts';

/** Summaries of one turn: each is paid for, and one that did not help is not asked for a third time. */
const maxCompactions = 2;

/** What a turn does with a prompt that is too long: what the request says comes before its agent. */
export function compactionOf({ agent, truncation, compacts }: Pick<ResponseSettings, 'agent' | 'truncation' | 'compacts'>): Compaction {
  if (compacts !== undefined) return 'off';
  return truncation === 'auto' ? 'auto' : (agent?.compaction ?? 'off');
}

type Booked = Pick<AttemptRow, 'step' | 'attempt' | 'code' | 'firstEventAtMs'>;

/** The steps whose last request was refused for the length of its prompt. The one that a turn fails with is none before it has failed. */
function overflowedSteps(attempts: readonly Booked[]): ReadonlySet<number> {
  const last = new Map(attempts.map(({ step, code }) => [step, code]));
  return new Set([...last].flatMap(([step, code]) => (code === 'context_length_exceeded' ? [step] : [])));
}

/** @param attempts in the order in which they were booked */
export function isCompactionStep(attempts: readonly Booked[], step: number): boolean {
  return overflowedSteps(attempts).has(step - 1);
}

export function mayCompact(settings: ResponseSettings, attempts: readonly Booked[], step: number): boolean {
  if (compactionOf(settings) !== 'auto') return false;
  return [...overflowedSteps(attempts)].filter((overflowed) => overflowed < step).length < maxCompactions;
}

/** One that a budget kept back was booked, and never sent. */
function isAsked({ code, firstEventAtMs }: Booked): boolean {
  return code !== 'budget_exceeded' || firstEventAtMs !== undefined;
}

/** Without the steps that were asked for in vain, and those that compacted: how many steps the model has had. */
export function stepsAsked(attempts: readonly Booked[], before: number): number {
  const overflowed = overflowedSteps(attempts);
  const steps = new Set(attempts.filter((attempt) => attempt.step < before && isAsked(attempt)).map(({ step }) => step));
  return [...steps].filter((step) => !overflowed.has(step) && !overflowed.has(step - 1)).length;
}
