/** `/api/chat`: the AI SDK's UI message stream on the same turns, so that `useChat`, with `resume` too, works as it is. */
import { z } from 'zod';
import type { ListedSession } from '../../domain/turn/session.ts';
import { notFound } from '../http/errors.ts';
import { defaultLimit, listPage, pageRequest } from '../http/pagination.ts';
import { id, pageQuery, wholeNumber } from '../http/request-fields.ts';
import { errorResponses, listSchema, ok, turnHeaders } from '../http/response-schemas.ts';
import type { Routes } from '../http/route.ts';
import { type SsePayload, type Translator, translatorEncoder, type TurnEncoder } from '../stream/encode.ts';
import { type ServeDeps, serveTurn } from '../stream/serve-turn.ts';
import { requireModel, submitHeaders, submitTurn, type SubmitDeps } from '../submit/submit-turn.ts';
import { AssistantMessages } from './assistant-messages.ts';
import { chatPage } from './chat-history.ts';
import { type PartsState, uiParts } from './parts.ts';
import { placementOf } from './placement.ts';
import { replayOf } from './replay.ts';
import { misnamedInUi, uiMessage, uiRequest } from './request-schema.ts';
import { uiSettings } from './settings.ts';

const tag = 'UI messages';
const listedChat = z.strictObject({
  id: z.string().meta({ description: 'What the UI calls it, as in its requests.' }),
  title: z.string().nullable(),
  preview: z.string().nullable().meta({ description: 'The first words of its first turn.' }),
  last_used_at: z.iso.datetime(),
});
const historyQuery = z.strictObject({
  limit: wholeNumber(1, 100).optional().meta({ description: 'Of turns; 100 where nothing is said.' }),
  before: id.optional().meta({ description: "The id of a message of the assistant's: those before it." }),
});
const chatSchema = z.strictObject({
  id: z.string(),
  title: z.string().nullable(),
  messages: z.array(
    z.looseObject({ id: z.string(), role: z.enum(['user', 'system', 'assistant']), parts: z.array(z.looseObject({ type: z.string() })) }),
  ),
  has_more: z.boolean(),
});
const stopped = z.strictObject({ id: z.string(), status: z.literal('cancelled') });
const nothing = { description: 'Nothing runs.' };

export function uiRoutes(routes: Routes, deps: SubmitDeps & ServeDeps): void {
  const { turnkeep } = deps;

  routes.add(
    {
      method: 'post',
      path: '/api/chat',
      tag,
      summary: "Begin a turn, or another answer, for the AI SDK's `useChat`",
      headers: submitHeaders,
      makesTurn: true,
      body: uiRequest,
      lists: { messages: uiMessage },
      misnamed: misnamedInUi,
      responses: {
        200: { description: 'The UI message stream.', mediaTypes: ['text/event-stream'], headers: turnHeaders },
        ...errorResponses(400, 401, 404, 409, 410, 413, 415, 422, 429, 503),
      },
    },
    async (c, { body, headers }) => {
      const tenant = c.get('tenant');
      const settings = uiSettings(body, requireModel(body.model, deps));
      const session = await turnkeep.sessions.open(tenant, body.id);
      const { messageId, callIds, answered, fields, ...placed } = await placementOf(body, session, new AssistantMessages(turnkeep, tenant));
      if (placed.replaces !== undefined) await stop(tenant, session.id);
      const turn = await submitTurn(c, deps, headers, {
        ...placed,
        settings,
        session,
        previous: null,
        fields: { items: fields, session: 'id' },
      });
      return serveTurn(c, deps, turn, uiEncoder(uiParts(messageId === undefined ? {} : { messageId, callIds, answered })));
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/api/chat',
      tag,
      summary: 'List the chats, the last used first',
      query: pageQuery,
      responses: { 200: ok('A page of chats.', listSchema(listedChat)), ...errorResponses(400, 401, 429, 503) },
    },
    async (c, { query }) => {
      const found = await turnkeep.sessions.list(c.get('tenant'), pageRequest(query));
      // The pages go by the conversation's own id.
      return c.json({ ...listPage(found, query), data: found?.slice(0, query.limit ?? defaultLimit).map(toListedChat) });
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/api/chat/{id}',
      tag,
      summary: 'The messages of a chat, for a UI that is loaded anew',
      description:
        'For `useChat` as its initial `messages`. The message that is being written is not among them: with `resume`, the stream gives it from its beginning.',
      query: historyQuery,
      responses: { 200: ok('The newest messages, oldest first.', chatSchema), ...errorResponses(400, 401, 404, 429, 503) },
    },
    async (c, { query }) => {
      const tenant = c.get('tenant');
      const chat = c.req.param('id') ?? '';
      const session = await turnkeep.sessions.find(tenant, chat);
      // A chat begins with its first message.
      if (session === undefined) return c.json({ id: chat, title: null, messages: [], has_more: false });
      const earliest = query.before === undefined ? undefined : await new AssistantMessages(turnkeep, tenant).byId(session, query.before);
      if (query.before !== undefined && earliest === undefined) throw notFound('Message', query.before, 'before');
      const { messages, hasMore } = await chatPage(turnkeep, earliest === undefined ? session.leaf : earliest.previous, query.limit ?? 100);
      return c.json({ id: chat, title: session.metadata['title'] ?? null, messages, has_more: hasMore });
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/api/chat/{id}/stream',
      tag,
      summary: 'Resume the turn that runs, from the beginning of its message',
      responses: {
        200: { description: 'The UI message stream.', mediaTypes: ['text/event-stream'] },
        204: nothing,
        ...errorResponses(401, 429, 503),
      },
    },
    async (c) => {
      const tenant = c.get('tenant');
      const session = await turnkeep.sessions.find(tenant, c.req.param('id') ?? '');
      const turn = session === undefined ? undefined : await turnkeep.sessions.runningTurn(tenant, session.id);
      if (session === undefined || turn === undefined) return c.body(null, 204);
      const message = await new AssistantMessages(turnkeep, tenant).endingWith(turn, turn.isRecorded ? turn.previous : session.leaf);
      const { preface, translator } = await replayOf(turnkeep, message, c.get('closed'));
      return serveTurn(c, deps, turn, uiEncoder(translator, preface));
    },
  );

  routes.add(
    {
      method: 'post',
      path: '/api/chat/{id}/stop',
      tag,
      summary: 'Stop the turn that runs; what was shown stays',
      responses: { 200: ok('What was stopped.', stopped), 204: nothing, ...errorResponses(401, 429, 503) },
    },
    async (c) => {
      const tenant = c.get('tenant');
      const session = await turnkeep.sessions.find(tenant, c.req.param('id') ?? '');
      const turn = session === undefined ? undefined : await stop(tenant, session.id);
      return turn === undefined ? c.body(null, 204) : c.json({ id: turn, status: 'cancelled' });
    },
  );

  /** The public id of the turn that was stopped; undefined where none ran, or it ended by itself first. */
  async function stop(tenant: string, session: string): Promise<string | undefined> {
    const turn = await turnkeep.sessions.runningTurn(tenant, session);
    if (turn === undefined) return undefined;
    return (await turnkeep.cancel(tenant, turn.publicId)).type === 'cancelled' ? turn.publicId : undefined;
  }
}

function uiEncoder(translator: Translator<PartsState>, preface: readonly SsePayload[] = []): TurnEncoder {
  return translatorEncoder(translator, { protocol: 'ai_sdk', headers: { 'x-vercel-ai-ui-message-stream': 'v1' }, preface });
}

function toListedChat({ id: own, name, metadata, firstWords, usedAtMs }: ListedSession) {
  return { id: name ?? own, title: metadata['title'] ?? null, preview: firstWords, last_used_at: new Date(usedAtMs).toISOString() };
}
