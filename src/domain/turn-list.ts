/** `GET /turns`: the turns of a tenant, as a list shows them. Times in ISO 8601, keys in snake_case as in OpenAI's objects. */
import { type FailureCode, failureRules } from './failure.ts';
import type { ResponseStatus, Usage } from './response.ts';

/** Which turns are asked for; what is absent does not matter. */
export interface TurnFilter {
  readonly status?: ResponseStatus | undefined;
  readonly code?: FailureCode | undefined;
  readonly session?: string | undefined;
  readonly model?: string | undefined;
  /** Created at this moment or later, in ms since the epoch. */
  readonly sinceMs?: number | undefined;
  /** Created before this moment, in ms since the epoch. */
  readonly untilMs?: number | undefined;
}

export interface TurnSummary {
  readonly publicId: string;
  readonly session: string | null;
  readonly status: ResponseStatus;
  readonly model: string | null;
  readonly errorCode: FailureCode | null;
  /** What was found out about the last failure, such as `401 invalid_api_key`; no words of the provider's. */
  readonly detail: string | null;
  readonly createdAtMs: number;
  readonly settledAtMs: number | null;
  /** Requests to the model so far. */
  readonly requests: number;
  readonly usage: Usage | null;
}

export function listedTurn(turn: TurnSummary): { readonly id: string; readonly [field: string]: unknown } {
  const { publicId: id, session, status, model, errorCode: code, detail, createdAtMs, settledAtMs, requests, usage } = turn;
  return {
    id,
    session,
    status,
    model,
    error: code === null ? null : { code, message: failureRules[code].message, ...(detail === null ? {} : { detail }) },
    created_at: new Date(createdAtMs).toISOString(),
    settled_at: settledAtMs === null ? null : new Date(settledAtMs).toISOString(),
    requests,
    // A failed turn has no other usage than that of its attempts: see `/turns/{id}`.
    usage: status === 'failed' ? null : usage,
  };
}
