/**
 * Compaction within a turn. A request whose prompt the model's context does not hold ends its step; the next step asks the model
 * for a summary, which becomes an item of the answer; the one behind it asks again, with the summary in the place of what was
 * said before. All of it is decided by the requests that are booked, so that every worker decides the same. Pure.
 */
import type { Compaction } from '../agents/agent.ts';
import type { AttemptRow } from '../turn/attempt.ts';
import { type Failure, failureOf } from '../failure.ts';
import type { ResponseSettings } from '../response/response-settings.ts';

/** Of what a prompt may come to, how much of it is nearly all: the tokens of a prompt are an estimate. */
const nearlyAll = 0.9;

/** How many tokens a prompt may come to, where somebody has said what the context of the model holds. */
export interface PromptRoom {
  /** More than that, and the model has no room for its answer. */
  readonly most: number;
  /** More than that, and it is summarised. */
  readonly nearlyFull: number;
}

export function promptRoomOf({
  agent,
  max_output_tokens: answer,
}: Pick<ResponseSettings, 'agent' | 'max_output_tokens'>): PromptRoom | undefined {
  const context = agent?.contextTokens;
  if (context === undefined) return undefined;
  // A limit of the answer that leaves less than half of it to the prompt is a precaution, and no plan.
  const most = context - Math.min(answer ?? 0, Math.floor(context / 2));
  return { most, nearlyFull: Math.floor(nearlyAll * most) };
}

/** `detail` of a request that was booked and never sent: its prompt was found to be too long before. */
export const notSent = 'not_sent';

/** What a turn fails with whose prompt is not sent. */
export function promptTooLong(tokens: number, { most }: PromptRoom): Failure & { readonly detail: string } {
  const message = `The prompt comes to an estimated ${tokens} tokens, and the context of the model has room for ${most} beside the answer (contextTokens). It was not sent.`;
  return { ...failureOf('context_length_exceeded', message), detail: notSent };
}

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
