/** `/turns/{id}`: the timeline of a turn. */
import { timelineOf } from '../../domain/timeline.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { notFound } from '../http/errors.ts';
import { errorResponses, ok, turnSchema } from '../http/response-schemas.ts';
import type { Routes } from '../http/route.ts';

export function turnsRoutes(routes: Routes, turnkeep: Turnkeep): void {
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
      // A failure has words of its own, which only the response has.
      const response = turn.errorCode === null || turn.erasedBy !== null ? undefined : await turnkeep.readResponse(turn);
      return c.json(timelineOf(turn, await turnkeep.readAttempts(turn.id), response?.error?.message));
    },
  );
}
