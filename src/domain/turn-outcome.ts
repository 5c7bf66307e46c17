/** How a turn ends, and the last event that tells its viewers. */
import type { Failure } from './failure.ts';
import type { SettledStatus, Usage } from './response.ts';

/** How a turn ended (README, "How a turn ends"). */
export type TurnOutcome = (
  | { readonly status: 'completed' }
  | { readonly status: 'incomplete'; readonly reason: string }
  | { readonly status: 'cancelled' }
  | { readonly status: 'failed'; readonly failure: Failure }
) & {
  readonly usage: Usage | null;
  /** The tier that served the last request, where the provider named one. */
  readonly serviceTier?: string;
};

export const finalEventOf = {
  completed: 'response.completed',
  incomplete: 'response.incomplete',
  // `response.cancelled` is no type of OpenAI's and breaks its client.
  cancelled: 'response.incomplete',
  failed: 'response.failed',
} as const satisfies Record<SettledStatus, string>;

export function incompleteDetails(end: TurnOutcome): { readonly reason: string } | null {
  if (end.status === 'incomplete') return { reason: end.reason };
  return end.status === 'cancelled' ? { reason: 'cancelled' } : null;
}
