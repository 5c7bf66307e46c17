/** `/api/chat`: the AI SDK's UI message stream on the same turns, so that `useChat`, with `resume` too, works as it is. */
import type { Context } from 'hono';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { z } from 'zod';
import type { TurnRow } from '../../domain/turn.ts';
import { ok, refusals, turnHeaders } from '../http/response-schemas.ts';
import { acknowledgeOnceSent } from '../stream/acknowledge.ts';
import type { GatewayEnv } from '../http/env.ts';
import { retryNotice } from '../stream/retry-notice.ts';
import type { Routes } from '../http/route.ts';
import { modelOf, submitHeaders, submitTurn, type SubmitDeps } from '../submit.ts';
import { writeTranslated } from '../stream/translated-stream.ts';
import type { SsePayload, Translator } from '../stream/translation.ts';
import { Answers } from './assistant-messages.ts';
import { type PartsState, uiParts } from './parts.ts';
import { placementOf } from './placement.ts';
import { replayOf } from './replay.ts';
import { uiRequest } from './request-schema.ts';
import { settingsOf } from './settings.ts';

export interface UiDeps extends SubmitDeps {
  readonly onStreamError: (error: unknown) => void;
  readonly idleCommentMs?: number | undefined;
}

const tag = 'UI messages';
const stopped = z.strictObject({ id: z.string(), status: z.literal('cancelled') });
const nothing = { description: 'Nothing runs.' };

export function uiRoutes(routes: Routes, deps: UiDeps): void {
  const { turnkeep, onStreamError, idleCommentMs } = deps;

  routes.add(
    {
      method: 'post',
      path: '/api/chat',
      tag,
      summary: "Begin a turn, or another answer, for the AI SDK's `useChat`",
      headers: submitHeaders,
      body: uiRequest,
      answers: {
        200: { description: 'The UI message stream.', mediaTypes: ['text/event-stream'], headers: turnHeaders },
        ...refusals(400, 401, 404, 409, 413, 415, 422, 429),
      },
    },
    async (c, { body }) => {
      const tenant = c.get('tenant');
      const settings = settingsOf(body, modelOf(body.model, deps));
      const session = await turnkeep.sessions.open(tenant, body.id);
      const { messageId, fields, ...placed } = await placementOf(body, session, new Answers(turnkeep, tenant));
      if (placed.replaces !== undefined) await stop(tenant, session.id);
      const turn = await submitTurn(c, deps, {
        ...placed,
        settings,
        session: session.id,
        previous: null,
        fields: { items: fields, session: 'id' },
      });
      return show(c, turn, uiParts(messageId === undefined ? {} : { messageId }), []);
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/api/chat/{id}/stream',
      tag,
      summary: 'Resume the turn that runs, from the beginning of its message',
      answers: { 200: { description: 'The UI message stream.', mediaTypes: ['text/event-stream'] }, 204: nothing, ...refusals(401, 429) },
    },
    async (c) => {
      const tenant = c.get('tenant');
      const session = await turnkeep.sessions.find(tenant, c.req.param('id') ?? '');
      const turn = session === undefined ? undefined : await turnkeep.sessions.runningTurn(tenant, session.id);
      if (session === undefined || turn === undefined) return c.body(null, 204);
      const answer = await new Answers(turnkeep, tenant).endingWith(turn, turn.isRecorded ? turn.previous : session.leaf);
      const { preface, translator } = await replayOf(turnkeep, answer, c.req.raw.signal);
      return show(c, turn, translator, preface);
    },
  );

  routes.add(
    {
      method: 'post',
      path: '/api/chat/{id}/stop',
      tag,
      summary: 'Stop the turn that runs; what was shown stays',
      answers: { 200: ok('What was stopped.', stopped), 204: nothing, ...refusals(401, 429) },
    },
    async (c) => {
      const tenant = c.get('tenant');
      const session = await turnkeep.sessions.find(tenant, c.req.param('id') ?? '');
      const turn = session === undefined ? undefined : await stop(tenant, session.id);
      return turn === undefined ? c.body(null, 204) : c.json({ id: turn, status: 'cancelled' });
    },
  );

  /** The turn that ran and was stopped; undefined where none ran, or it had its end by then. */
  async function stop(tenant: string, session: string): Promise<string | undefined> {
    const turn = await turnkeep.sessions.runningTurn(tenant, session);
    if (turn === undefined) return undefined;
    return (await turnkeep.cancel(tenant, turn.id)).type === 'cancelled' ? turn.id : undefined;
  }

  function show(c: Context<GatewayEnv>, turn: TurnRow, translator: Translator<PartsState>, preface: readonly SsePayload[]): Response {
    acknowledgeOnceSent(c.env.outgoing, () => turnkeep.acknowledge(turn.id), onStreamError);
    writeTranslated({
      outgoing: c.env.outgoing,
      translator,
      preface,
      idleCommentMs,
      rows: (signal) => turnkeep.follow(turn.id, -1, signal),
      headers: {
        'x-vercel-ai-ui-message-stream': 'v1',
        'x-turnkeep-response-id': turn.id,
        'x-request-id': c.get('requestId'),
      },
      notice: () => retryNotice(turnkeep, turn.id),
    }).catch(onStreamError);
    return RESPONSE_ALREADY_SENT;
  }
}
