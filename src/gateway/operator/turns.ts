/** `/turns`: what turns there are, and the timeline of each; `/stats`: all of them summed up. */
import { z } from 'zod';
import { failureRules, type FailureCode } from '../../domain/failure.ts';
import { previewOf } from '../../domain/turn/timeline-text.ts';
import { timelineOf } from '../../domain/turn/timeline.ts';
import { timelineEvents } from '../../domain/turn/timeline-events.ts';
import { readTimeline } from '../../client/read-timeline.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import { listedTurn, type TurnFilter } from '../../domain/turn/turn-list.ts';
import { notFound } from '../http/errors.ts';
import { listPage, pageRequest } from '../http/pagination.ts';
import { id, moment, pageQuery } from '../http/request-fields.ts';
import { errorResponses, listSchema, ok, responseSchema, turnStatsSchema } from '../http/response-schemas.ts';
import { listedTurnSchema, turnSchema, turnTimelineSchema } from '../http/turn-schemas.ts';
import type { Routes } from '../http/route.ts';

export interface TurnsDeps {
  readonly turnkeep: Turnkeep;
  /** See `TimelineFacts`. */
  readonly temporalUi?: string | undefined;
  /** Temporal's own events of a run; never rejects. */
  readonly readTemporal?: (turn: TurnRow) => Promise<object>;
}

/** Items of the input whose beginnings are told. */
const previewedItems = 10;

const status = responseSchema.shape.status;
const codes = Object.keys(failureRules) as FailureCode[];

/** Which turns are asked for. */
const filterQuery = z.strictObject({
  status: z.enum(status.options, `must be one of ${status.options.join(', ')}`).optional(),
  code: z
    .enum(codes, `must be one of ${codes.join(', ')}`)
    .optional()
    .meta({ description: 'Of the error of a failed turn.' }),
  session: id.optional().meta({ description: 'The id of a conversation.' }),
  model: z.string().optional(),
  agent: z.string().optional().meta({ description: 'The name of an agent: requests name it as their model.' }),
  since: moment.optional(),
  until: moment.optional(),
});

const turnsQuery = pageQuery.omit({ order: true }).extend(filterQuery.shape);

export function turnsRoutes(routes: Routes, { turnkeep, temporalUi, readTemporal }: TurnsDeps): void {
  routes.add(
    {
      method: 'get',
      path: '/turns',
      tag: 'Turns',
      summary: 'List turns, newest first',
      query: turnsQuery,
      responses: { 200: ok('A page of turns.', listSchema(listedTurnSchema)), ...errorResponses(400, 401, 429, 503) },
    },
    async (c, { query }) => {
      const { limit, after, ...filter } = query;
      const { order: _newestFirst, ...page } = pageRequest({ limit, after });
      const found = await turnkeep.listTurns(c.get('tenant'), { ...page, filter: filterOf(filter) });
      return c.json(listPage(found?.map(listedTurn), query));
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/stats',
      tag: 'Turns',
      summary: 'How turns ended, how long the first token took, what retries saved, and what was spent and lost',
      query: filterQuery,
      responses: { 200: ok('Of the turns that are asked for.', turnStatsSchema), ...errorResponses(400, 401, 429, 503) },
    },
    async (c, { query }) => c.json(await turnkeep.readStats(c.get('tenant'), filterOf(query))),
  );

  routes.add(
    {
      method: 'get',
      path: '/turns/{id}',
      tag: 'Turns',
      summary: 'What happened in a turn, attempt by attempt',
      responses: { 200: ok('The turn.', turnSchema), ...errorResponses(401, 404, 429, 503) },
    },
    async (c) => {
      const id = c.req.param('id') ?? '';
      const turn = await turnkeep.readTurn(c.get('tenant'), id);
      if (turn === undefined) throw notFound('Turn', id);
      return c.json(timelineOf({ ...(await readTimeline(turnkeep, turn)), temporalUi }));
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/turns/{id}/timeline',
      tag: 'Turns',
      summary: "All that happened in a turn, as one list too, with Temporal's events beside it",
      responses: { 200: ok('The turn.', turnTimelineSchema), ...errorResponses(401, 404, 429, 503) },
    },
    async (c) => {
      const id = c.req.param('id') ?? '';
      const turn = await turnkeep.readTurn(c.get('tenant'), id);
      if (turn === undefined) throw notFound('Turn', id);
      const [facts, input, temporal] = await Promise.all([
        readTimeline(turnkeep, turn),
        turnkeep.inputOf(turn).read({ limit: previewedItems, order: 'asc' }),
        readTemporal?.(turn) ?? { missing: 'this gateway does not ask Temporal' },
      ]);
      return c.json({
        ...timelineOf({ ...facts, temporalUi }),
        input: (input ?? []).map(previewOf),
        input_items: turn.inputCount,
        events: timelineEvents(facts),
        temporal,
      });
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/turns/{id}/calls/{number}',
      tag: 'Turns',
      summary: 'All that a call of a tool came to, also where the model was told less',
      description: 'A call names its own path, as `result`, in `GET /turns/{id}`.',
      responses: { 200: { description: 'The result, or what failed.', mediaTypes: ['text/plain'] }, ...errorResponses(401, 404, 429, 503) },
    },
    async (c) => {
      const { id = '', number = '' } = c.req.param();
      const turn = await turnkeep.readTurn(c.get('tenant'), id);
      if (turn === undefined) throw notFound('Turn', id);
      const result = /^\d{1,9}$/.test(number) ? await turnkeep.readToolResult(turn.id, Number(number)) : undefined;
      if (result === undefined) throw notFound('Result of call', number);
      const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
      return new Response(ReadableStream.from(result.pieces), { headers: { ...headers, 'content-length': String(result.totalBytes) } });
    },
  );
}

function filterOf({ since: sinceMs, until: untilMs, agent, ...given }: z.infer<typeof filterQuery>): TurnFilter {
  return { ...given, ...(agent === undefined ? {} : { model: agent }), sinceMs, untilMs };
}
