/** `/v1/chat/completions`: OpenAI's older API on the same turns. */
import type { Context } from 'hono';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { SessionRow } from '../../domain/session.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { refusals, turnHeaders } from '../http/response-schemas.ts';
import { acknowledgeOnceSent } from '../stream/acknowledge.ts';
import type { GatewayEnv } from '../http/env.ts';
import { retryNotice } from '../stream/retry-notice.ts';
import type { Routes } from '../http/route.ts';
import { modelOf, submitTurn, type SubmitDeps, type TurnDraft } from '../submit.ts';
import { writeTranslated } from '../stream/translated-stream.ts';
import { answerWhole } from './blocking-completion.ts';
import { chatChunks } from './chunks.ts';
import { itemsOf } from './items.ts';
import { fieldsOf, newInputOf, tellsAnswer } from './new-input.ts';
import { type ChatRequest, chatRequest } from './request-schema.ts';
import { chatHeaders, sessionNameOf } from './session-name.ts';
import { isLegacy, settingsOf } from './settings.ts';

export interface ChatDeps extends SubmitDeps {
  readonly onStreamError: (error: unknown) => void;
  readonly idleCommentMs?: number | undefined;
  /** How long a blocking answer may hold back its headers, so that a failure can have its HTTP status. */
  readonly headersWithinMs?: number;
}

export function chatRoutes(routes: Routes, deps: ChatDeps): void {
  const { turnkeep, onStreamError, idleCommentMs, headersWithinMs = 10_000 } = deps;

  routes.add(
    {
      method: 'post',
      path: '/chat/completions',
      tag: 'Chat Completions',
      summary: "Begin a turn by OpenAI's older API",
      description: 'Kept only with `store`, or in a conversation. Disconnecting never cancels a stored turn.',
      headers: chatHeaders,
      body: chatRequest,
      answers: {
        200: { description: 'The completion, or its chunks.', mediaTypes: ['application/json', 'text/event-stream'], headers: turnHeaders },
        ...refusals(400, 401, 404, 409, 413, 415, 422, 424, 429),
      },
    },
    async (c, { body }) => {
      const turn = await submitTurn(c, deps, await draftOf(c, deps, body));
      const headers = { 'x-turnkeep-response-id': turn.id, 'x-request-id': c.get('requestId') };
      const options = { isLegacy: isLegacy(body), includesUsage: body.stream_options?.include_usage === true };
      if (body.stream !== true) return answerWhole({ c, turnkeep, turn, headers, headersWithinMs, onError: onStreamError, ...options });
      acknowledgeOnceSent(c.env.outgoing, () => turnkeep.acknowledge(turn.id), onStreamError);
      writeTranslated({
        outgoing: c.env.outgoing,
        translator: chatChunks(options),
        rows: (signal) => turnkeep.follow(turn.id, -1, signal),
        headers,
        idleCommentMs,
        notice: () => retryNotice(turnkeep, turn.id),
      }).catch(onStreamError);
      return RESPONSE_ALREADY_SENT;
    },
  );
}

async function draftOf(c: Context<GatewayEnv>, deps: ChatDeps, body: ChatRequest): Promise<TurnDraft> {
  const model = modelOf(body.model, deps);
  const session = await sessionOf(c, deps.turnkeep, body);
  // OpenAI keeps a chat only when it is asked to; a conversation is to be kept.
  const settings = settingsOf(body, model, body.store ?? session !== undefined);
  if (session === undefined) {
    const items = itemsOf(body.messages);
    return { settings, input: items.flat(), session: null, previous: null, fields: { items: fieldsOf(items, 0) } };
  }
  const hasTurns = session.leaf !== null && !(await isItsFirstRequest(c, deps.turnkeep, session.leaf, body));
  const { instructions, input, fields } = newInputOf(body.messages, hasTurns);
  return { settings: { ...settings, instructions }, input, session: session.id, previous: null, fields: { items: fields } };
}

async function sessionOf(c: Context<GatewayEnv>, turnkeep: Turnkeep, body: ChatRequest): Promise<SessionRow | undefined> {
  const named = sessionNameOf((name) => c.req.header(name), body);
  if (named === undefined) return undefined;
  const session = await turnkeep.sessions.open(c.get('tenant'), named.name);
  const isBeside = named.isOfInterface && session.leaf !== null && !isRepeat(c) && !tellsAnswer(body.messages);
  return isBeside ? undefined : session;
}

/** The request that began the conversation, sent again: all of it was new then, so all of it is now (T1). */
async function isItsFirstRequest(c: Context<GatewayEnv>, turnkeep: Turnkeep, leaf: string, body: ChatRequest): Promise<boolean> {
  if (!isRepeat(c)) return false;
  const turn = await turnkeep.readTurn(c.get('tenant'), leaf);
  return turn?.previous === null && turn.input.length === newInputOf(body.messages, false).input.length;
}

function isRepeat(c: Context<GatewayEnv>): boolean {
  return c.req.header('idempotency-key') !== undefined || Number(c.req.header('x-stainless-retry-count') ?? 0) > 0;
}
