/** From a validated request, whichever door it came by, to an accepted turn; every refusal names its field. */
import type { Context } from 'hono';
import type { Submission, TurnRow, Turnkeep } from '../client/turnkeep.ts';
import type { GatewayEnv } from './env.ts';
import { ApiError, notFound } from './errors.ts';

export interface SubmitDeps {
  readonly turnkeep: Turnkeep;
  /** Used when a request names no model. */
  readonly defaultModel: string | undefined;
}

/** What a door makes of its request; the rest comes from the headers, the same for all doors. */
export type TurnDraft = Pick<Submission, 'settings' | 'input' | 'session' | 'previous' | 'replaces'>;

/** @throws ApiError 400 naming `model` when neither the request nor the configuration names one */
export function modelOf(model: string | null | undefined, { defaultModel }: SubmitDeps): string {
  const named = model ?? defaultModel;
  if (named !== undefined) return named;
  throw new ApiError({
    status: 400,
    param: 'model',
    code: 'missing_required_parameter',
    message: "Missing 'model': name one in the request, or set TURNKEEP_MODEL for the gateway.",
  });
}

/** Resolves once the turn can no longer be lost. @throws ApiError for whatever cannot be accepted */
export async function submitTurn(c: Context<GatewayEnv>, { turnkeep }: SubmitDeps, draft: TurnDraft): Promise<TurnRow> {
  const tenant = c.get('tenant');
  const { session, previous } = draft;
  if (session !== null && previous !== null) {
    throw new ApiError({
      status: 400,
      param: 'previous_response_id',
      code: 'mutually_exclusive_parameters',
      message: "'conversation' and 'previous_response_id' cannot be used together. Leave one out.",
    });
  }
  if (session !== null && (await turnkeep.readSession(tenant, session)) === undefined) {
    throw notFound('Conversation', session, 'conversation');
  }
  if (previous !== null) await mustBeSettled(turnkeep, tenant, previous);
  const result = await turnkeep.submit({
    ...draft,
    tenant,
    idempotencyKey: c.req.header('idempotency-key') ?? null,
    isResend: Number(c.req.header('x-stainless-retry-count') ?? 0) > 0,
  });
  if (result.type === 'key_conflict') {
    throw new ApiError({
      status: 422,
      code: 'idempotency_key_reused',
      message: 'This Idempotency-Key was used with another body. Use a new key for a new request.',
    });
  }
  return result.turn;
}

async function mustBeSettled(turnkeep: Turnkeep, tenant: string, id: string): Promise<void> {
  const param = 'previous_response_id';
  const turn = await turnkeep.readTurn(tenant, id);
  if (turn === undefined) {
    throw new ApiError({
      status: 400,
      param,
      code: 'previous_response_not_found',
      message: `Previous response with id '${id}' not found.`,
    });
  }
  if (turn.settledAtMs === null) {
    throw new ApiError({
      status: 400,
      param,
      code: 'previous_response_not_settled',
      message: `Response '${id}' is still ${turn.status}. Wait for its end or cancel it; in a conversation, turns wait for each other.`,
    });
  }
}
