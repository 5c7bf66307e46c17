/** The limits of a turn, and the price of its model: resolved when it is taken in, so that every worker decides by the same ones. Pure. */
import { type Agent, type Limits, type Price, priceOf } from '../agents/agent.ts';
import { type Budget, hasLimits, narrowestOf } from './budget.ts';
import type { ResponseSettings } from '../response/response-settings.ts';

/** What the configuration says of every turn. */
export interface BudgetRules {
  readonly limits: { readonly turn: Limits; readonly session: Limits };
  /** For `priceOf`. */
  readonly prices: ReadonlyMap<string, Price>;
}

/** @returns undefined where nothing is limited, and nothing is known to cost anything */
function budgetOf(
  { model, max_tool_calls: calls }: Pick<ResponseSettings, 'model' | 'max_tool_calls'>,
  agent: Pick<Agent, 'provider' | 'model' | 'limits'> | undefined,
  { limits, prices }: BudgetRules,
): Budget | undefined {
  const price = priceOf(agent ?? { provider: 'default', model }, prices);
  const ofRequest = calls === null || agent === undefined ? {} : { toolCalls: calls };
  const budget = { turn: narrowestOf(agent?.limits ?? {}, limits.turn, ofRequest), session: limits.session };
  if (price === undefined) return hasLimits(budget) ? budget : undefined;
  return { ...budget, price };
}

export const noBudgets: BudgetRules = { limits: { turn: {}, session: {} }, prices: new Map() };

export function withBudget(settings: ResponseSettings, agent: Agent | undefined, rules: BudgetRules): ResponseSettings {
  const budget = budgetOf(settings, agent, rules);
  return budget === undefined ? settings : { ...settings, budget };
}
