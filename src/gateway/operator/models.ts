/** `/v1/models`: the provider's models. */
import { z } from 'zod';
import { errorResponses, ok } from '../http/response-schemas.ts';
import { ApiError, notFound } from '../http/errors.ts';
import type { Routes } from '../http/route.ts';

export interface ModelsDeps {
  /** Used when a request names no model. */
  readonly defaultModel: string | undefined;
  /** The provider's model ids. Rejects when it cannot be asked. */
  readonly listModels: () => Promise<readonly string[]>;
}

const model = z.strictObject({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() });

export function modelsRoutes(routes: Routes, { defaultModel, listModels }: ModelsDeps): void {
  async function list(): Promise<z.infer<typeof model>[]> {
    const ids = await listModels().catch((error: unknown) => {
      if (defaultModel !== undefined) return [];
      const reason = error instanceof Error ? error.message : 'unknown';
      const message = `The model provider does not list its models: ${reason}`;
      throw new ApiError({ status: 502, code: 'provider_unreachable', message });
    });
    const all = [...new Set([...(defaultModel === undefined ? [] : [defaultModel]), ...ids])];
    return all.map((id) => ({ id, object: 'model', created: 0, owned_by: 'provider' }));
  }

  routes.add(
    {
      method: 'get',
      path: '/models',
      tag: 'Models',
      summary: "List the provider's models",
      responses: {
        200: ok('The models.', z.strictObject({ object: z.literal('list'), data: z.array(model) })),
        ...errorResponses(401, 429, 502),
      },
    },
    async (c) => c.json({ object: 'list', data: await list() }),
  );

  routes.add(
    {
      method: 'get',
      path: '/models/{id}',
      tag: 'Models',
      summary: 'Read a model',
      responses: { 200: ok('The model.', model), ...errorResponses(401, 404, 429, 502) },
    },
    async (c) => {
      const id = c.req.param('id') ?? '';
      const found = (await list()).find((each) => each.id === id);
      if (found === undefined) throw notFound('Model', id);
      return c.json(found);
    },
  );
}
