/** `GET /turns/{id}/export`: a turn as a file, streamed as it is read. */
import { z } from 'zod';
import type { TurnExporter } from '../../history/export-turn.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { ApiError, notFound } from '../http/errors.ts';
import { errorResponses } from '../http/response-schemas.ts';
import type { Routes } from '../http/route.ts';

export interface TurnExportDeps {
  readonly turnkeep: Turnkeep;
  readonly exportTurn: TurnExporter;
}

const exportQuery = z.strictObject({
  redact: z
    .enum(['true', 'false'], 'must be true or false')
    .optional()
    .meta({ description: 'Without what anybody said: it still replays.' }),
});

/** Each has the turn's past in memory: whoever wants more of them at once is asked to come again. */
const mostOfTenant = 4;

/** Whoever takes nothing of it for so long is cut off. */
const patienceMs = 60_000;

export function turnExportRoute(routes: Routes, { turnkeep, exportTurn }: TurnExportDeps): void {
  const running = new Map<string, number>();
  const count = (tenant: string, by: 1 | -1): void => {
    const left = (running.get(tenant) ?? 0) + by;
    if (left === 0) running.delete(tenant);
    else running.set(tenant, left);
  };

  routes.add(
    {
      method: 'get',
      path: '/turns/{id}/export',
      query: exportQuery,
      tag: 'Turns',
      scope: 'export',
      summary: 'All that is known of a turn, as a file that is replayed and run again elsewhere',
      description:
        'A bundle, as `turnkeep export` writes it (docs/bundle.md). The body ends early, without the end of its JSON, where the turn is deleted meanwhile.',
      responses: {
        200: { description: 'The bundle.', schema: z.looseObject({ format: z.string(), version: z.int() }) },
        ...errorResponses(401, 404, 429, 503),
      },
    },
    async (c, { query }) => {
      const [id, tenant] = [c.req.param('id') ?? '', c.get('tenant')];
      const turn = await turnkeep.readTurn(tenant, id);
      if (turn === undefined) throw notFound('Turn', id);
      if ((running.get(tenant) ?? 0) >= mostOfTenant) throw tooMany();
      count(tenant, 1);
      const body = bodyOf(exportTurn(turn, { isRedacted: query.redact === 'true' }), () => count(tenant, -1));
      return new Response(body, { headers: { 'content-type': 'application/json; charset=utf-8', 'x-content-type-options': 'nosniff' } });
    },
  );
}

/** @param onEnd called once, however it ends */
export function bodyOf(pieces: AsyncGenerator<string, void, undefined>, onEnd: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let patience: NodeJS.Timeout | undefined;
  let isOver = false;
  // A client that goes while a piece is being read ends it twice: once by going, and once by the piece that nobody takes.
  const end = (): void => {
    clearTimeout(patience);
    if (!isOver) onEnd();
    isOver = true;
  };
  return new ReadableStream(
    {
      async pull(controller) {
        clearTimeout(patience);
        try {
          const next = await pieces.next();
          if (isOver) return;
          if (next.done === true) {
            end();
            controller.close();
            return;
          }
          controller.enqueue(encoder.encode(next.value));
          patience = setTimeout(() => {
            end();
            void pieces.return();
            controller.error(new Error(`nobody took the next piece of an export for ${patienceMs / 1_000} s`));
          }, patienceMs);
        } catch (error) {
          end();
          throw error;
        }
      },
      async cancel() {
        end();
        await pieces.return();
      },
    },
    { highWaterMark: 0 },
  );
}

function tooMany(): ApiError {
  return new ApiError({
    status: 429,
    code: 'too_many_exports',
    message: `${mostOfTenant} turns are being exported already. Try again when one of them has been.`,
    headers: { 'retry-after': '1' },
  });
}
