/** `/v1/models`: the configured agents, which a request names as a model, and the provider's models. */
import { z } from 'zod';
import { fullMessageOf, type ModelFailure } from '../../domain/model.ts';
import { errorResponses, ok } from '../http/response-schemas.ts';
import { ApiError, notFound } from '../http/errors.ts';
import type { Routes } from '../http/route.ts';

export interface ModelsDeps {
  /** Used when a request names no model. */
  readonly defaultModel: string | undefined;
  readonly agentNames?: readonly string[];
  readonly listModels: () => Promise<ModelList>;
}

/** The provider's model ids, or why it gave none. */
export type ModelList =
  | { readonly type: 'listed'; readonly ids: readonly string[] }
  | { readonly type: 'failed'; readonly failure: ModelFailure };

const model = z.strictObject({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() });

export function modelsRoutes(routes: Routes, { defaultModel, agentNames = [], listModels }: ModelsDeps): void {
  async function list(): Promise<z.infer<typeof model>[]> {
    const listed = await listModels();
    const known = [...(defaultModel === undefined ? [] : [defaultModel]), ...agentNames];
    // What is known without the provider is usable, and better than none: a client's list of models is often its first call.
    if (listed.type === 'failed' && known.length === 0) throw listError(listed.failure);
    const all = new Set([...known, ...(listed.type === 'listed' ? listed.ids : [])]);
    const agents = new Set(agentNames);
    return [...all].map((id) => ({ id, object: 'model', created: 0, owned_by: agents.has(id) ? 'turnkeep' : 'provider' }));
  }

  routes.add(
    {
      method: 'get',
      path: '/models',
      tag: 'Models',
      summary: "List the configured agents and the provider's models",
      responses: {
        200: ok('The models.', z.strictObject({ object: z.literal('list'), data: z.array(model) })),
        ...errorResponses(401, 429, 502, 503),
      },
    },
    async (c) => c.json({ object: 'list', data: await list() }),
  );

  routes.add(
    {
      method: 'get',
      path: '/models/{id}',
      tag: 'Models',
      summary: 'Read a model or an agent',
      responses: { 200: ok('The model.', model), ...errorResponses(401, 404, 429, 502, 503) },
    },
    async (c) => {
      const id = c.req.param('id') ?? '';
      const found = (await list()).find((each) => each.id === id);
      if (found === undefined) throw notFound('Model', id);
      return c.json(found);
    },
  );
}

/** A provider that was reached and said no is told apart from one that was not: other people can mend it. */
function listError(failure: ModelFailure): ApiError {
  const { code, detail, busy } = failure;
  const isFinal = code === 'provider_rejected' || code === 'provider_protocol' || busy?.final === true;
  if (!isFinal && busy !== undefined) {
    const headers = { 'retry-after': String(Math.ceil((busy.retryAfterMs ?? 1_000) / 1_000)) };
    return new ApiError({ status: 503, code, message: messageOf(fullMessageOf(failure)), headers });
  }
  // OpenAI's clients ask again after any 5xx, by themselves.
  if (isFinal)
    return new ApiError({ status: 502, code, message: messageOf(fullMessageOf(failure)), headers: { 'x-should-retry': 'false' } });
  const reason = code === 'model_timeout' ? 'The model provider did not answer in time' : 'The model provider cannot be reached';
  const message = messageOf(detail === undefined ? `${reason}.` : `${reason} (${detail}).`);
  return new ApiError({ status: 502, code: 'provider_unreachable', message });
}

function messageOf(reason: string): string {
  return `The models cannot be listed. ${reason}`;
}
