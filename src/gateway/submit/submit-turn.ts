/** From a validated request of any protocol to an accepted turn. Whatever keeps a turn out is an error that names its field. */
import type { Context } from 'hono';
import { z } from 'zod';
import { type ProviderApi, type RequestedTurn, unsupportedBy, withFieldsInForce } from '../../domain/provider-capabilities.ts';
import type { ResponseSettings } from '../../domain/response/response-settings.ts';
import { withToolsInForce } from '../../domain/agents/tools.ts';
import type { SessionRow } from '../../domain/turn/session.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import { turnIdPattern } from '../../client/ids.ts';
import type { Submission } from '../../client/submission.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { ApiError } from '../http/errors.ts';
import { jsonLimits, tooManyItems } from '../http/json-scanner.ts';
import { type GatewayEnv, headerOf, release } from '../http/route.ts';
import { type AgentDirectory, assertServersKnown, withAgent } from './agent-settings.ts';
import { takeTrigger } from './compaction-trigger.ts';
import {
  assertNothingOmitted,
  assertSupported,
  draining,
  type FieldNames,
  toApiError,
  toolChoiceFault,
  unknownConversation,
} from './submit-error.ts';

export interface SubmitDeps {
  readonly turnkeep: Turnkeep;
  /** Used when a request names no model. */
  readonly defaultModel: string | undefined;
  readonly providerApi: ProviderApi;
  /** None where nothing is said. */
  readonly agents?: AgentDirectory | undefined;
  /** Tools that this provider cannot have; `omit` where nothing is said. */
  readonly unsupportedTools?: 'omit' | 'refuse';
  /** Of one request; 10,000 where nothing is said. */
  readonly maxInputItems?: number;
  /** The gateway is shutting down: what runs goes on, and nothing new is taken in. */
  readonly isDraining: () => boolean;
}

/** What a protocol makes of its request's body; the rest comes from the headers, the same for all protocols. */
export type TurnDraft = Pick<Submission, 'settings' | 'input' | 'previous' | 'replaces' | 'continues' | 'completion'> & {
  /** An id is looked up; a row says that the protocol has done that. */
  readonly session: SessionRow | string | null;
  /** Used where the client sends no `Idempotency-Key`. */
  readonly idempotencyKey?: string;
  /** Absent: those of the Responses API. */
  readonly fields?: FieldNames;
};

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

export type SubmitHeaders = z.output<typeof submitHeaders>;

/** @throws ApiError 400 naming `model` when neither the request nor the configuration names one */
export function requireModel(model: string | null | undefined, { defaultModel }: SubmitDeps): string {
  const named = model ?? defaultModel;
  if (named !== undefined) return named;
  throw new ApiError({
    status: 400,
    param: 'model',
    code: 'missing_required_parameter',
    message: "Missing 'model': name one in the request, or set TURNKEEP_MODEL for the gateway.",
  });
}

/** Is OpenAI's client library sending this request again, after an attempt of its own that failed? */
export function isResend(c: Context<GatewayEnv>): boolean {
  return Number(headerOf(c, 'x-stainless-retry-count') ?? 0) > 0;
}

/** Who submits a turn, and how: what a protocol has of a request besides its fields. */
export type Submitter = Pick<Submission, 'tenant' | 'isResend' | 'receivedAtMs' | 'signal' | 'owner'>;

/** Resolves once the turn can no longer be lost. @throws ApiError for whatever cannot be accepted */
export async function submitTurn(c: Context<GatewayEnv>, deps: SubmitDeps, headers: SubmitHeaders, draft: TurnDraft): Promise<TurnRow> {
  const submitter = { tenant: c.get('tenant'), isResend: isResend(c), receivedAtMs: c.get('receivedAtMs'), signal: c.get('closed') };
  const turn = await acceptTurn(submitter, deps, headers, draft);
  release(c);
  Object.assign(c.get('ids'), { response: turn.publicId, conversation: turn.session ?? undefined });
  return turn;
}

/** As `submitTurn`, where a connection brings more than one turn. */
export async function acceptTurn(
  submitter: Submitter,
  deps: SubmitDeps,
  headers: SubmitHeaders,
  { fields, session, ...given }: TurnDraft,
): Promise<TurnRow> {
  const { turnkeep, maxInputItems = jsonLimits.maxItems } = deps;
  if (deps.isDraining()) {
    throw draining();
  }
  const { tenant } = submitter;
  const draft = takeTrigger(given);
  // One message may be several items.
  if (draft.input.length > maxInputItems) throw tooManyItems(listOf(fields), maxInputItems);
  const settings = sendableSettings(deps, { settings: draft.settings, items: draft.input }, fields);
  // Before the items are looked at: what is wrong with them depends on the conversation they are to join.
  await assertContext(turnkeep, tenant, { session, previous: draft.previous });
  await assertToolChoice(deps, { ...draft, tenant, settings, session }, fields);
  const sessionId = typeof session === 'string' ? session : (session?.id ?? null);
  const id = headers['x-turnkeep-response-id'];
  const whenBusy = headers['x-turnkeep-when-busy'];
  const result = await turnkeep.submit({
    ...draft,
    ...submitter,
    settings,
    session: sessionId,
    idempotencyKey: headers['idempotency-key'] ?? draft.idempotencyKey ?? null,
    ...(id === undefined ? {} : { id }),
    ...(whenBusy === undefined ? {} : { whenBusy }),
  });
  if (result.type !== 'accepted') throw toApiError(result, { session: sessionId, id, fields });
  return result.turn;
}

/** What the request calls the list of its items. */
function listOf(fields: FieldNames | undefined): string {
  return /^\w+/.exec(fields?.items[0] ?? '')?.[0] ?? 'input';
}

/**
 * The settings with the tools that this provider can have.
 * @throws ApiError 400 naming the field that it cannot be sent
 */
export function sendableSettings(
  { providerApi, agents, unsupportedTools = 'omit' }: SubmitDeps,
  requested: RequestedTurn,
  fields?: FieldNames,
): ResponseSettings {
  const { settings: given, workerTools } = withAgent(agents, requested.settings);
  const provider = given.agent?.provider ?? 'default';
  const api = provider === 'default' ? providerApi : (agents?.apiOf(provider) ?? providerApi);
  if (api === 'chat' && agents !== undefined) assertServersKnown(agents, requested.settings);
  const settings = withToolsInForce(api, withFieldsInForce(api, given), requested.items, fields?.api);
  if (unsupportedTools === 'refuse') assertNothingOmitted(settings);
  assertSupported(unsupportedBy(api, { ...requested, settings }), fields);
  // Those that a worker runs are in force whatever the provider, and shown as they came.
  return workerTools.length === 0 ? settings : { ...settings, tools: [...settings.tools, ...workerTools] };
}

/**
 * Tools are the request's, or come as items: of its input, or of what it goes on with, which is read only where it matters.
 * @throws ApiError 400 naming `tool_choice`
 */
export async function assertToolChoice(
  { turnkeep, providerApi }: Pick<SubmitDeps, 'turnkeep' | 'providerApi'>,
  {
    tenant,
    settings,
    session,
    previous,
    input,
  }: Pick<Submission, 'tenant' | 'settings' | 'input'> & Pick<TurnDraft, 'session' | 'previous'>,
  fields?: FieldNames,
): Promise<void> {
  const fault = toolChoiceFault({ settings, items: input }, fields);
  if (fault === undefined) return;
  if (session === null && previous === null && !input.some(({ type }) => type === 'item_reference')) throw fault;
  const sessionId = typeof session === 'string' ? session : (session?.id ?? null);
  const prompt = await turnkeep.previewPrompt(providerApi, { tenant, settings, session: sessionId, previous, input });
  // What is wrong with its items is said when they are taken in; what waits in its conversation may bring the tool.
  if (prompt.type !== 'prompt' || !prompt.isWhole) return;
  const told = toolChoiceFault({ settings, items: prompt.items }, fields);
  if (told !== undefined) throw told;
}

/** @throws ApiError where the conversation or the turn that it is to go on with is not there */
export async function assertContext(
  turnkeep: Turnkeep,
  tenant: string,
  { session, previous }: Pick<TurnDraft, 'session' | 'previous'>,
): Promise<void> {
  if (typeof session === 'string' && (await turnkeep.sessions.read(tenant, session)) === undefined) throw unknownConversation(session);
  if (previous !== null) await assertKnown(turnkeep, tenant, previous);
}

/** @throws ApiError 400 where there is no such response */
export async function assertKnown(turnkeep: Turnkeep, tenant: string, id: string): Promise<void> {
  const turn = await turnkeep.readTurn(tenant, id);
  if (turn === undefined || turn.erasedBy !== null) {
    throw new ApiError({
      status: 400,
      param: 'previous_response_id',
      code: 'previous_response_not_found',
      message: `Previous response with id '${id}' not found.`,
    });
  }
}
