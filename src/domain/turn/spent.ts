/** What a turn has cost with all that it called, in tokens, and in dollars where prices are known. Pure. */
import type { AttemptRow } from './attempt.ts';
import { costOf } from './budget.ts';
import { sumOf, sumOfKnown, type Usage } from '../response/response.ts';
import type { ToolCallRow } from '../agents/tool-call.ts';
import type { TurnRow } from './turn.ts';

export type PricedUsage = Usage & { readonly cost_usd?: number };

type Booked = Pick<AttemptRow, 'step' | 'usage' | 'outcome'>;
type Called = Pick<ToolCallRow, 'usage'>;

/** Of its own requests, those that failed too, and of the turns that carried out its calls; null: no provider has said anything. */
export function wholeUsageOf(
  turn: Pick<TurnRow, 'settings'>,
  attempts: readonly Booked[],
  toolCalls: readonly Called[],
): PricedUsage | null {
  const own = attempts.map(({ usage }) => usage ?? null).reduce(sumOfKnown, null);
  return sumOfPriced(withCost(turn, own), usageOfCalls(toolCalls));
}

/** Tokens of the turns that carried out its calls; null: there are none, or nothing is known of them. */
export function usageOfCalls(toolCalls: readonly Called[]): PricedUsage | null {
  return toolCalls.map(({ usage }) => usage ?? null).reduce(sumOfPriced, null);
}

export function withCost({ settings }: Pick<TurnRow, 'settings'>, usage: Usage | null): PricedUsage | null {
  const price = settings.budget?.price;
  return usage === null || price === undefined ? usage : { ...usage, cost_usd: costOf(usage, price) };
}

/** What one of them cost is known as far as its price is. */
export function sumOfPriced(one: PricedUsage | null, other: PricedUsage | null): PricedUsage | null {
  if (one === null || other === null) return one ?? other;
  const costs = [one, other].flatMap(({ cost_usd: cost }) => cost ?? []);
  return { ...sumOf(one, other), ...(costs.length === 0 ? {} : { cost_usd: costs.reduce((sum, cost) => sum + cost, 0) }) };
}
