/** `/v1/responses`: submit, read, follow, cancel, delete. */
import type { Context } from 'hono';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { deletedSchema, errorResponses, itemSchema, listSchema, ok, responseSchema, turnHeaders } from '../http/response-schemas.ts';
import { ApiError, notFound } from '../http/errors.ts';
import { itemPage } from '../http/pagination.ts';
import { type GatewayEnv, headerOf, type Routes } from '../http/route.ts';
import { journalEncoder } from '../stream/encode.ts';
import { serveBlocking } from '../stream/serve-blocking.ts';
import { acknowledgeOnceSent } from '../stream/acknowledge.ts';
import { expired, idHeaders, type ServeDeps, serveTurn } from '../stream/serve-turn.ts';
import { submitHeaders, type SubmitDeps, submitTurn } from '../submit/submit-turn.ts';
import { alreadySettled } from '../submit/submit-error.ts';
import { itemsQuery } from '../http/request-fields.ts';
import { inputItem } from './item-schema.ts';
import { responseDraft } from './settings.ts';
import { createResponse, followHeaders, misnamedInResponse, retrieveQuery } from './schema.ts';

const tag = 'Responses';
const mediaTypes = ['application/json', 'text/event-stream'];

export function responsesRoutes(routes: Routes, deps: SubmitDeps & ServeDeps): void {
  const { turnkeep } = deps;

  routes.add(
    {
      method: 'post',
      path: '/responses',
      tag,
      summary: 'Begin a turn',
      description:
        'Answers once the turn can no longer be lost: with its events (`stream`), at once (`background`), or when it has ended. Disconnecting never cancels a stored turn.',
      headers: submitHeaders,
      makesTurn: true,
      body: createResponse,
      lists: { input: inputItem },
      misnamed: misnamedInResponse,
      responses: {
        200: { description: 'The response, or its events.', schema: responseSchema, mediaTypes, headers: turnHeaders },
        ...errorResponses(400, 401, 404, 409, 410, 413, 415, 422, 429, 503),
      },
    },
    async (c, { body, headers }) => {
      const turn = await submitTurn(c, deps, headers, responseDraft(body, deps));
      if (body.stream === true) return serveTurn(c, deps, turn, journalEncoder);
      if (body.background === true) return c.json(await turnkeep.readAccepted(turn), 200, { ...idHeaders(c, turn) });
      return serveBlocking(c, deps, turn, { encode: (response) => ({ status: 200, body: response }) });
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
      responses: {
        200: { description: 'The response, or its events.', schema: responseSchema, mediaTypes },
        ...errorResponses(400, 401, 404, 410, 429, 503),
      },
    },
    async (c, { query }) => {
      const turn = await requireTurn(c, turnkeep);
      if (turn.erasedBy !== null) throw expired(turn);
      const isStream = query.stream === 'true' || query.stream === '1';
      if (isStream) return serveTurn(c, deps, turn, journalEncoder, query.starting_after ?? lastEventId(c));
      if (query.starting_after !== undefined) {
        throw new ApiError({ status: 400, param: 'starting_after', message: "Invalid 'starting_after': it goes with stream=true." });
      }
      const response = await turnkeep.readResponse(turn);
      if (turn.settledAtMs !== null) acknowledgeOnceSent(c, deps, turn);
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
      responses: { 200: ok('The response as it ended.', responseSchema), ...errorResponses(400, 401, 404, 429, 503) },
    },
    async (c) => {
      const id = c.req.param('id') ?? '';
      const result = await turnkeep.cancel(c.get('tenant'), id);
      if (result.type === 'unknown') throw notFound('Response', id);
      if (result.type === 'already_settled') {
        throw alreadySettled(id, result.turn.status);
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
      responses: { 200: ok('It is gone.', deletedSchema('response')), ...errorResponses(401, 404, 429, 503) },
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
      responses: { 200: ok('A page of items.', listSchema(itemSchema)), ...errorResponses(400, 401, 404, 410, 429, 503) },
    },
    async (c, { query }) => {
      const turn = await requireTurn(c, turnkeep);
      if (turn.erasedBy !== null) throw expired(turn);
      return c.json(await itemPage(query, turnkeep.inputOf(turn)));
    },
  );
}

async function requireTurn(c: Context<GatewayEnv>, turnkeep: Turnkeep): Promise<TurnRow> {
  const id = c.req.param('id') ?? '';
  const turn = await turnkeep.readTurn(c.get('tenant'), id);
  if (turn === undefined) throw notFound('Response', id);
  return turn;
}

/** Where a browser's EventSource was when its connection broke. */
function lastEventId(c: Context<GatewayEnv>): number | undefined {
  const header = headerOf(c, 'last-event-id');
  if (header === undefined || header === '') return undefined;
  if (!/^\d{1,15}$/.test(header)) {
    throw new ApiError({ status: 400, param: 'Last-Event-ID', message: "Invalid 'Last-Event-ID': must be a whole number from 0." });
  }
  return Number(header);
}
