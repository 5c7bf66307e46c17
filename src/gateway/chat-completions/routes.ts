/** `/v1/chat/completions`: OpenAI's older API on the same turns. */
import type { Context } from 'hono';
import type { SessionRow } from '../../domain/turn/session.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { errorResponses, turnHeaders } from '../http/response-schemas.ts';
import { type GatewayEnv, headerOf, type Routes } from '../http/route.ts';
import { translatorEncoder } from '../stream/encode.ts';
import { serveBlocking } from '../stream/serve-blocking.ts';
import { type ServeDeps, serveTurn } from '../stream/serve-turn.ts';
import { isResend, requireModel, submitTurn, type SubmitDeps, type TurnDraft } from '../submit/submit-turn.ts';
import type { FieldNames } from '../submit/submit-error.ts';
import { chatChunks } from './chunks.ts';
import { blockingCompletion } from './completion.ts';
import { chatItems } from './items.ts';
import { chatMessage } from './message-schema.ts';
import { chatFields, hasAssistantMessage, newChatInput } from './new-input.ts';
import { type ChatRequest, chatRequest, misnamedInChat } from './request-schema.ts';
import { chatHeaders, sessionNameOf } from './session-name.ts';
import { chatSettings, isLegacy } from './settings.ts';

export interface ChatDeps extends SubmitDeps, ServeDeps {
  /** How long the headers of a blocking response wait for the turn's end, so that a failure has its HTTP status. */
  readonly headersWithinMs?: number;
}

export function chatRoutes(routes: Routes, deps: ChatDeps): void {
  const { headersWithinMs = 10_000 } = deps;

  routes.add(
    {
      method: 'post',
      path: '/chat/completions',
      tag: 'Chat Completions',
      summary: "Begin a turn by OpenAI's older API",
      description: 'Kept only with `store`, or in a conversation. Disconnecting never cancels a stored turn.',
      headers: chatHeaders,
      makesTurn: true,
      body: chatRequest,
      lists: { messages: chatMessage },
      misnamed: misnamedInChat,
      responses: {
        200: { description: 'The completion, or its chunks.', mediaTypes: ['application/json', 'text/event-stream'], headers: turnHeaders },
        ...errorResponses(400, 401, 404, 409, 410, 413, 415, 422, 424, 429, 503),
      },
    },
    async (c, { body, headers }) => {
      const turn = await submitTurn(c, deps, headers, await draftOf(c, deps, body));
      const options = {
        isLegacy: isLegacy(body),
        ...(body.store === true ? { metadata: body.metadata ?? {} } : {}),
        includesUsage: body.stream_options?.include_usage === true,
      };
      if (body.stream === true) return serveTurn(c, deps, turn, translatorEncoder(chatChunks(options), { protocol: 'chat_completions' }));
      return serveBlocking(c, deps, turn, { encode: (response) => blockingCompletion(response, options), headersWithinMs });
    },
  );
}

async function draftOf(c: Context<GatewayEnv>, deps: ChatDeps, body: ChatRequest): Promise<TurnDraft> {
  const model = requireModel(body.model, deps);
  const session = await sessionOf(c, deps.turnkeep, body);
  // OpenAI stores a chat only when it is asked to; one in a conversation has to be stored.
  const settings = chatSettings(body, model, body.store ?? session !== undefined);
  if (session === undefined) {
    const items = chatItems(body.messages);
    return {
      settings,
      ...completionOf(body),
      input: items.flat(),
      session: null,
      previous: null,
      fields: { api: 'chat', items: chatFields(items, 0), ...toolChoiceField(body) },
    };
  }
  const hasTurns = session.leaf !== null && !(await isFirstRequest(c, deps.turnkeep, session.leaf, body));
  const { instructions, input, fields } = newChatInput(body.messages, hasTurns);
  return {
    settings: { ...settings, instructions },
    ...completionOf(body),
    input,
    session,
    previous: null,
    fields: { api: 'chat', items: fields, ...toolChoiceField(body) },
  };
}

/** Only those are found as stored completions whose client has asked for it: a conversation keeps its turns anyway. */
function completionOf(body: ChatRequest): Pick<TurnDraft, 'completion'> {
  return body.store === true ? { completion: { isLegacy: isLegacy(body) } } : {};
}

function toolChoiceField({ function_call }: ChatRequest): Pick<FieldNames, 'toolChoice'> {
  return function_call == null ? {} : { toolChoice: 'function_call' };
}

/** undefined: the request belongs to no conversation, or is a question of the UI's own beside it. */
async function sessionOf(c: Context<GatewayEnv>, turnkeep: Turnkeep, body: ChatRequest): Promise<SessionRow | undefined> {
  const named = sessionNameOf((name) => headerOf(c, name), body);
  if (named === undefined) return undefined;
  const session = await turnkeep.sessions.open(c.get('tenant'), named.name);
  const isBeside = named.isFromUi && session.leaf !== null && !isRepeat(c) && !hasAssistantMessage(body.messages);
  return isBeside ? undefined : session;
}

/** Is this the request that began the conversation, sent again? All its messages were new then, so they are now (T1). */
async function isFirstRequest(c: Context<GatewayEnv>, turnkeep: Turnkeep, leaf: string, body: ChatRequest): Promise<boolean> {
  if (!isRepeat(c)) return false;
  const turn = await turnkeep.readNamedTurn(c.get('tenant'), leaf);
  return turn?.previous === null && turn.inputCount === newChatInput(body.messages, false).input.length;
}

function isRepeat(c: Context<GatewayEnv>): boolean {
  return headerOf(c, 'idempotency-key') !== undefined || isResend(c);
}
