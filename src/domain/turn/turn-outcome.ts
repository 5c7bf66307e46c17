/** How a turn ends, and the last event that tells its viewers. */
import type { Failure } from '../failure.ts';
import { type ResponseObject, type SettledStatus, unknownUsage, type Usage } from '../response/response.ts';

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

function incompleteDetails(end: TurnOutcome): { readonly reason: string } | null {
  if (end.status === 'incomplete') return { reason: end.reason };
  return end.status === 'cancelled' ? { reason: 'cancelled' } : null;
}

/** The response as it stands in the last event, its items closed. */
export function endedResponse(response: ResponseObject, outcome: TurnOutcome, atMs: number): ResponseObject {
  return {
    ...response,
    status: outcome.status,
    completed_at: outcome.status === 'completed' ? Math.floor(atMs / 1_000) : null,
    incomplete_details: incompleteDetails(outcome),
    error: outcome.status === 'failed' ? { code: outcome.failure.code, message: outcome.failure.message } : null,
    usage: outcome.usage ?? unknownUsage,
    ...(outcome.serviceTier === undefined ? {} : { service_tier: outcome.serviceTier }),
  };
}
