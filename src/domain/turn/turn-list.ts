/** The turns of a tenant, as lists show them: `GET /turns`, with times in ISO 8601 and keys in snake_case as in OpenAI's objects; stored Chat Completions. */
import { type FailureCode, failureRules } from '../failure.ts';
import type { ResponseStatus, Usage } from '../response/response.ts';

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

/** Clocks of different machines do not differ by more. */
const maxClockSkewMs = 86_400_000;

/** Is it one of them? */
export function isAskedFor(turn: FilteredTurn, { status, code, session, model, sinceMs, untilMs }: TurnFilter): boolean {
  const wants = <T>(wanted: T | undefined, value: T): boolean => wanted === undefined || wanted === value;
  return (
    wants(status, turn.status) &&
    wants<string | null>(code, turn.errorCode) &&
    wants<string | null>(session, turn.session) &&
    wants<string | null>(model, turn.model) &&
    turn.createdAtMs >= (sinceMs ?? 0) &&
    turn.createdAtMs < (untilMs ?? Number.POSITIVE_INFINITY)
  );
}

type FilteredTurn = Pick<TurnSummary, 'status' | 'errorCode' | 'session' | 'model' | 'createdAtMs'>;

/** Is no turn asked for that was taken in before this one? */
export function endsBehind(createdAtMs: number, { sinceMs = 0 }: TurnFilter): boolean {
  return createdAtMs < sinceMs - maxClockSkewMs;
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
  /** The id of the workflow of somebody's own that carries it out; null: one of ours does. */
  readonly owner: string | null;
}

export function listedTurn(turn: TurnSummary): { readonly id: string; readonly [field: string]: unknown } {
  const { publicId: id, session, status, model, errorCode: code, detail, createdAtMs, settledAtMs, requests, usage, owner } = turn;
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
    ...(owner === null ? {} : { owner }),
  };
}

/** A Chat Completion that its client asked to be stored: a turn that completed, whole or cut off by the provider. */
export interface StoredCompletion {
  /** The turn's own id. */
  readonly turn: string;
  /** The turn's id as its tenant knows it. */
  readonly publicId: string;
  /** It is shown in the form of `functions`, the API's first form of tools. */
  readonly isLegacy: boolean;
  /** As the request gave it, or an update since. */
  readonly metadata: { readonly [key: string]: string };
}

/** Which of them are asked for: a page, by age. */
export interface CompletionQuery {
  readonly limit: number;
  /** `asc`: the oldest first. */
  readonly order: 'asc' | 'desc';
  /** A public id: the page begins behind it. */
  readonly after?: string;
  readonly model?: string;
  /** All of these pairs. */
  readonly metadata?: StoredCompletion['metadata'];
}
