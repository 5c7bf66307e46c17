/** `/v1/conversations`: OpenAI's name for sessions. */
import type { Hono } from 'hono';
import type { SessionRow, Turnkeep } from '../client/turnkeep.ts';
import type { GatewayEnv } from './env.ts';
import { readJson } from './body.ts';
import { ApiError, notFound, validationError } from './errors.ts';
import { createConversation, itemsQuery } from './schemas.ts';

const defaultLimit = 20;

export function conversationsRoutes(app: Hono<GatewayEnv>, turnkeep: Turnkeep): void {
  async function known(tenant: string, id: string): Promise<SessionRow> {
    const session = await turnkeep.readSession(tenant, id);
    if (session === undefined) throw notFound('Conversation', id);
    return session;
  }

  app.post('/conversations', async (c) => {
    // OpenAI's client sends no body at all where nothing is asked for.
    const isEmpty = (c.req.header('content-length') ?? '0') === '0' && c.req.header('transfer-encoding') === undefined;
    const body = createConversation.safeParse(isEmpty ? {} : await readJson(c.env.incoming));
    if (!body.success) throw validationError(body.error);
    return c.json(conversation(await turnkeep.createSession(c.get('tenant'), body.data.metadata ?? {})));
  });

  app.get('/conversations/:id', async (c) => c.json(conversation(await known(c.get('tenant'), c.req.param('id')))));

  app.get('/conversations/:id/items', async (c) => {
    const query = itemsQuery.safeParse(c.req.query());
    if (!query.success) throw validationError(query.error);
    const session = await known(c.get('tenant'), c.req.param('id'));
    const { limit = defaultLimit, order = 'desc', after } = query.data;
    if (after !== undefined && !(await turnkeep.hasSessionItem(session, after))) throw notFoundAfter(after);
    // One more than asked for tells whether there are more.
    const found = await turnkeep.readSessionItems(session, { limit: limit + 1, order, ...(after === undefined ? {} : { after }) });
    const data = found.slice(0, limit);
    return c.json({
      object: 'list',
      data,
      first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
      has_more: found.length > limit,
    });
  });
}

function notFoundAfter(id: string): ApiError {
  return new ApiError({
    status: 400,
    param: 'after',
    code: 'invalid_value',
    message: `Invalid 'after': the conversation has no item '${id}'.`,
  });
}

function conversation({ id, createdAtMs, metadata }: SessionRow): object {
  return { id, object: 'conversation', created_at: Math.floor(createdAtMs / 1_000), metadata };
}
