/** `/v1/responses`: submit, read, follow, cancel, delete. */
import type { Context } from 'hono';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { TurnRow } from '../../domain/turn.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { anyItem, deleted, listOf as listSchema, ok, refusals, response as responseSchema, turnHeaders } from '../http/response-schemas.ts';
import { writeWhenReady } from '../stream/blocking.ts';
import { acknowledgeOnceSent } from '../stream/acknowledge.ts';
import type { GatewayEnv } from '../http/env.ts';
import { ApiError, notFound } from '../http/errors.ts';
import { listPage, type PageQuery, pageRequest } from '../http/pagination.ts';
import type { Routes } from '../http/route.ts';
import { modelOf, submitHeaders, type SubmitDeps, submitTurn } from '../submit.ts';
import { itemsQuery } from '../http/request-fields.ts';
import { inputOf } from './items.ts';
import { createResponse, followHeaders, retrieveQuery } from './schema.ts';
import { settingsOf } from './settings.ts';
import { pastRetention, stream, type StreamDeps } from './stream.ts';

export type ResponsesDeps = SubmitDeps & StreamDeps;

const tag = 'Responses';
const mediaTypes = ['application/json', 'text/event-stream'];

export function responsesRoutes(routes: Routes, deps: ResponsesDeps): void {
  const { turnkeep, onStreamError } = deps;

  routes.add(
    {
      method: 'post',
      path: '/responses',
      tag,
      summary: 'Begin a turn',
      description:
        'Answers once the turn can no longer be lost: with its events (`stream`), at once (`background`), or when it has ended. Disconnecting never cancels a stored turn.',
      headers: submitHeaders,
      body: createResponse,
      answers: {
        200: { description: 'The response, or its events.', schema: responseSchema, mediaTypes, headers: turnHeaders },
        ...refusals(400, 401, 404, 409, 413, 415, 422, 429),
      },
    },
    async (c, { body }) => {
      const turn = await submitTurn(c, deps, {
        settings: settingsOf(body, modelOf(body.model, deps)),
        input: inputOf(body.input),
        session: typeof body.conversation === 'string' ? body.conversation : (body.conversation?.id ?? null),
        previous: body.previous_response_id ?? null,
      });
      if (body.stream === true) return stream(c, deps, turn, -1);
      const headers = { 'x-turnkeep-response-id': turn.id };
      if (body.background === true) return c.json(await turnkeep.readResponse(turn), 200, headers);
      acknowledgeOnceSent(c.env.outgoing, () => turnkeep.acknowledge(turn.id), onStreamError);
      const answered = writeWhenReady(c.env.outgoing, (signal) => whole(turnkeep, turn, signal), {
        ...headers,
        'x-request-id': c.get('requestId'),
      });
      answered.catch(onStreamError);
      return RESPONSE_ALREADY_SENT;
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/responses/{id}',
      tag,
      summary: 'Read a response, or follow its events from any point',
      query: retrieveQuery,
      headers: followHeaders,
      answers: {
        200: { description: 'The response, or its events.', schema: responseSchema, mediaTypes },
        ...refusals(400, 401, 404, 410, 429),
      },
    },
    async (c, { query }) => {
      const turn = await known(c, turnkeep);
      if (turn.erasedBy !== null) throw pastRetention(turn.id);
      const isStream = query.stream === 'true' || query.stream === '1';
      if (isStream) return stream(c, deps, turn, query.starting_after ?? lastEventId(c) ?? -1);
      if (query.starting_after !== undefined) {
        throw new ApiError({ status: 400, param: 'starting_after', message: "Invalid 'starting_after': it goes with stream=true." });
      }
      const response = await turnkeep.readResponse(turn);
      if (turn.settledAtMs !== null) acknowledgeOnceSent(c.env.outgoing, () => turnkeep.acknowledge(turn.id), onStreamError);
      return c.json(response);
    },
  );

  routes.add(
    {
      method: 'post',
      path: '/responses/{id}/cancel',
      tag,
      summary: 'Stop a turn; what was shown stays',
      description: 'A cancel may come before its turn: it is remembered for 10 minutes.',
      answers: { 200: ok('The response as it ended.', responseSchema), ...refusals(400, 401, 404, 429) },
    },
    async (c) => {
      const id = c.req.param('id') ?? '';
      const result = await turnkeep.cancel(c.get('tenant'), id);
      if (result.type === 'unknown') throw notFound('Response', id);
      if (result.type === 'already_settled') {
        throw new ApiError({
          status: 400,
          code: 'response_already_settled',
          message: `Response '${id}' cannot be cancelled: it is already ${result.turn.status}.`,
        });
      }
      return c.json(result.response);
    },
  );

  routes.add(
    {
      method: 'delete',
      path: '/responses/{id}',
      tag,
      summary: 'Delete a response; one that runs is stopped',
      answers: { 200: ok('It is gone.', deleted('response')), ...refusals(401, 404, 429) },
    },
    async (c) => {
      const id = c.req.param('id') ?? '';
      if (!(await turnkeep.deleteTurn(c.get('tenant'), id))) throw notFound('Response', id);
      return c.json({ id, object: 'response', deleted: true });
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/responses/{id}/input_items',
      tag,
      summary: 'List what was put in with a turn',
      query: itemsQuery,
      answers: { 200: ok('A page of items.', listSchema(anyItem)), ...refusals(400, 401, 404, 410, 429) },
    },
    async (c, { query }) => {
      const turn = await known(c, turnkeep);
      if (turn.erasedBy !== null) throw pastRetention(turn.id);
      return c.json(listPage(inputPage(turn, query), query));
    },
  );
}

/** The response once the turn has ended; undefined when the client has gone before. */
async function whole(turnkeep: Turnkeep, turn: TurnRow, signal: AbortSignal): Promise<unknown> {
  const settled = await turnkeep.settled(turn.id, signal);
  return settled === undefined ? undefined : turnkeep.readResponse(settled);
}

function inputPage({ input }: TurnRow, query: PageQuery): TurnRow['input'] | undefined {
  const { limit, order, after } = pageRequest(query);
  const items = order === 'asc' ? input : input.toReversed();
  const from = after === undefined ? 0 : items.findIndex((item) => item.id === after) + 1;
  return after !== undefined && from === 0 ? undefined : items.slice(from, from + limit);
}

async function known(c: Context<GatewayEnv>, turnkeep: Turnkeep): Promise<TurnRow> {
  const id = c.req.param('id') ?? '';
  const turn = await turnkeep.readTurn(c.get('tenant'), id);
  if (turn === undefined) throw notFound('Response', id);
  return turn;
}

function lastEventId(c: Context<GatewayEnv>): number | undefined {
  const header = c.req.header('last-event-id');
  if (header === undefined || header === '') return undefined;
  if (!/^\d{1,15}$/.test(header)) {
    throw new ApiError({ status: 400, param: 'Last-Event-ID', message: "Invalid 'Last-Event-ID': must be a whole number from 0." });
  }
  return Number(header);
}
