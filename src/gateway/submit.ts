/** From a validated request, whichever door it came by, to an accepted turn; every refusal names its field. */
import type { Context } from 'hono';
import { z } from 'zod';
import type { NewItem } from '../domain/item.ts';
import type { ResponseSettings } from '../domain/response-settings.ts';
import type { Submission, SubmitResult, SubmittedItem } from '../client/submission.ts';
import type { TurnRow } from '../domain/turn.ts';
import { turnIdPattern } from '../client/ids.ts';
import type { Turnkeep } from '../client/turnkeep.ts';
import type { GatewayEnv } from './http/env.ts';
import { ApiError, notFound } from './http/errors.ts';

export interface SubmitDeps {
  readonly turnkeep: Turnkeep;
  /** Used when a request names no model. */
  readonly defaultModel: string | undefined;
  readonly unsupported: UnsupportedBy;
}

export interface Unsupported {
  /** The field, as the request names it. */
  readonly param: string;
  readonly message: string;
}

/** What the provider's API cannot express: refused by the name of the field, never dropped. */
export interface UnsupportedBy {
  readonly by: (request: { readonly settings: ResponseSettings; readonly items: readonly SubmittedItem[] }) => Unsupported | undefined;
  /** Of items that are put into a conversation by hand. */
  readonly among: (items: readonly NewItem[]) => Unsupported | undefined;
}

/** What a door makes of its request; the rest comes from the headers, the same for all doors. */
export type TurnDraft = Pick<Submission, 'settings' | 'input' | 'session' | 'previous' | 'replaces' | 'whenBusy'> & {
  /** A door's own, where the client sends no `Idempotency-Key`. */
  readonly idempotencyKey?: string;
  readonly fields?: FieldNames;
};

/** How a door's own request calls what other doors call `input[…]` and `conversation`. */
export interface FieldNames {
  /** Of each item of the input. */
  readonly items: readonly string[];
  readonly session?: string;
}

export const submitHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x20-\x7e]{1,255}$/, 'must be 1 to 255 printable characters')
    .optional()
    .meta({ description: 'The same key gives the same turn.' }),
  'x-turnkeep-response-id': z
    .string()
    .regex(turnIdPattern, 'must be "resp_" and 1 to 64 letters, digits, "_" or "-"')
    .optional()
    .meta({ description: "The response's id, chosen by the client." }),
  'x-turnkeep-when-busy': z
    .enum(['enqueue', 'reject', 'interrupt'], 'must be enqueue, reject or interrupt')
    .optional()
    .meta({ description: 'What to do while an earlier turn of the conversation runs.' }),
});

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

/** Resolves once the turn can no longer be lost. The route must check `submitHeaders`. @throws ApiError for whatever cannot be accepted */
export async function submitTurn(
  c: Context<GatewayEnv>,
  { turnkeep, unsupported }: SubmitDeps,
  { fields, ...draft }: TurnDraft,
): Promise<TurnRow> {
  const tenant = c.get('tenant');
  const headers = submitHeaders.parse(c.req.header());
  const { session, previous, settings } = draft;
  refuse(named(unsupported.by({ settings, items: draft.input }), fields));
  if (session !== null && (await turnkeep.sessions.read(tenant, session)) === undefined) {
    throw notFound('Conversation', session, 'conversation');
  }
  if (previous !== null) await mustBeSettled(turnkeep, tenant, previous);
  const id = headers['x-turnkeep-response-id'];
  const whenBusy = headers['x-turnkeep-when-busy'] ?? draft.whenBusy;
  const result = await turnkeep.submit({
    ...draft,
    tenant,
    idempotencyKey: headers['idempotency-key'] ?? draft.idempotencyKey ?? null,
    isResend: Number(c.req.header('x-stainless-retry-count') ?? 0) > 0,
    ...(id === undefined ? {} : { id }),
    ...(whenBusy === undefined ? {} : { whenBusy }),
  });
  if (result.type === 'accepted') {
    Object.assign(c.get('ids'), { response: result.turn.id, conversation: result.turn.session ?? undefined });
    return result.turn;
  }
  throw toApiError(result, { session, id, fields });
}

/** @throws ApiError 400 that names the field */
export function refuse(unsupported: Unsupported | undefined): void {
  if (unsupported === undefined) return;
  const { param, message } = unsupported;
  throw new ApiError({ status: 400, param, code: 'unsupported_parameter', message: `Unsupported '${param}': ${message}.` });
}

/** What is within an item has other names in another door: the item's own says where to look. */
function named(unsupported: Unsupported | undefined, fields: FieldNames | undefined): Unsupported | undefined {
  const index = /^input\[(\d+)\]/.exec(unsupported?.param ?? '')?.[1];
  const param = index === undefined ? undefined : fields?.items[Number(index)];
  return unsupported === undefined || param === undefined ? unsupported : { ...unsupported, param };
}

const secondsUntilRoom = '5';

interface Refused {
  readonly session: string | null;
  readonly id: string | undefined;
  readonly fields: FieldNames | undefined;
}

function toApiError(result: Exclude<SubmitResult, { type: 'accepted' }>, { session, id, fields }: Refused): ApiError {
  switch (result.type) {
    case 'conflict':
      return id === undefined
        ? new ApiError({
            status: 422,
            param: 'Idempotency-Key',
            code: 'idempotency_key_reused',
            message: 'This Idempotency-Key was used with another body. Use a new key for a new request.',
          })
        : new ApiError({
            status: 422,
            param: 'x-turnkeep-response-id',
            code: 'response_id_taken',
            message: `The id '${id}', or the Idempotency-Key, was used for another request. Choose a new one.`,
          });
    case 'busy':
      return new ApiError({
        status: 409,
        param: fields?.session ?? 'conversation',
        code: 'conversation_locked',
        message: `Conversation '${session ?? ''}' is busy with response '${result.running}'. Wait for its end, or send x-turnkeep-when-busy: enqueue or interrupt.`,
        // Stock clients would ask again at once, by themselves.
        headers: { 'x-should-retry': 'false' },
      });
    case 'queue_full':
      return new ApiError({
        status: 429,
        param: fields?.session ?? 'conversation',
        code: 'conversation_queue_full',
        message: `Too many turns wait in conversation '${session ?? ''}' (TURNKEEP_MAX_WAITING_TURNS). Try again when some have ended.`,
        headers: { 'retry-after': secondsUntilRoom },
      });
    case 'too_many':
      return new ApiError({
        status: 429,
        code: 'too_many_running_turns',
        message: 'Too many turns of this key are running or waiting (TURNKEEP_MAX_RUNNING_TURNS). Try again when some have ended.',
        headers: { 'retry-after': secondsUntilRoom },
      });
    case 'unknown_session':
      return notFound('Conversation', session ?? '', 'conversation');
    case 'unknown_item':
      return notFound('Item', result.id, fields?.items[result.index] ?? `input[${result.index}].id`);
    case 'unknown_call':
      return new ApiError({
        status: 400,
        param: fields?.items[result.index] ?? `input[${result.index}].call_id`,
        code: 'unknown_call_id',
        message: `No function call with call_id '${result.id}' is in the input or in what came before it.`,
      });
    default:
      return result satisfies never;
  }
}

async function mustBeSettled(turnkeep: Turnkeep, tenant: string, id: string): Promise<void> {
  const param = 'previous_response_id';
  const turn = await turnkeep.readTurn(tenant, id);
  if (turn === undefined || turn.erasedBy !== null) {
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
