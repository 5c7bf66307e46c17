/** `/v1/conversations`: OpenAI's name for sessions. */
import { z } from 'zod';
import type { NewItem } from '../../domain/item.ts';
import type { ListedSession, SessionRow } from '../../domain/turn/session.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { type ProviderApi, unsupportedItem } from '../../domain/provider-capabilities.ts';
import {
  conversationSchema,
  deletedSchema,
  errorResponses,
  itemSchema,
  listedConversationSchema,
  listSchema,
  ok,
} from '../http/response-schemas.ts';
import { notFound } from '../http/errors.ts';
import { itemPage, listPage, pageRequest } from '../http/pagination.ts';
import { conversationItem, type ConversationItemBody } from '../responses/item-schema.ts';
import { toNewItem } from '../responses/items.ts';
import type { Routes } from '../http/route.ts';
import { assertSupported } from '../submit/submit-error.ts';
import { include, itemsQuery, metadata, moment, pageQuery } from '../http/request-fields.ts';

const tag = 'Conversations';

const maxItems = 1_000;
const items = z.array(conversationItem).max(maxItems, `has ${maxItems} items at most`);
const createConversation = z.strictObject({ metadata: metadata.nullish(), items: items.nullish() });
const updateConversation = z.strictObject({ metadata: metadata.nullable() });
const createItems = z.strictObject({ items: items.min(1, 'must not be empty'), include: include.nullish() });

/** By their latest use. */
const listQuery = pageQuery.extend({ since: moment.optional(), until: moment.optional() });

const turns = z
  .enum(['true', 'false'], "must be 'true' or 'false'")
  .optional()
  .meta({ description: 'Each item says in `turn` which turn it is of; null: it was put in by hand.' });

export interface ConversationsDeps {
  readonly turnkeep: Turnkeep;
  readonly providerApi: ProviderApi;
}

export function conversationsRoutes(routes: Routes, { turnkeep: { sessions }, providerApi }: ConversationsDeps): void {
  function newItems(bodies: readonly ConversationItemBody[]): readonly NewItem[] {
    const made = bodies.map(toNewItem);
    assertSupported(unsupportedItem(providerApi, made, 'items'));
    return made;
  }

  async function requireSession(tenant: string, id: string | undefined): Promise<SessionRow> {
    const session = await sessions.read(tenant, id ?? '');
    if (session === undefined) throw notFound('Conversation', id ?? '');
    return session;
  }

  routes.add(
    {
      method: 'post',
      path: '/conversations',
      tag,
      summary: 'Begin a conversation, with items if you like',
      body: createConversation,
      isBodyOptional: true,
      responses: { 200: ok('The conversation.', conversationSchema), ...errorResponses(400, 401, 413, 415, 429, 503) },
    },
    async (c, { body }) => c.json(toConversation(await sessions.create(c.get('tenant'), body.metadata ?? {}, newItems(body.items ?? [])))),
  );

  routes.add(
    {
      method: 'get',
      path: '/conversations',
      tag,
      summary: 'List conversations by their latest use',
      query: listQuery,
      responses: { 200: ok('A page of conversations.', listSchema(listedConversationSchema)), ...errorResponses(400, 401, 429, 503) },
    },
    async (c, { query }) => {
      const { since: sinceMs, until: untilMs, ...page } = query;
      const found = await sessions.list(c.get('tenant'), { ...pageRequest(page), sinceMs, untilMs });
      return c.json(listPage(found?.map(toListed), query));
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/conversations/{id}',
      tag,
      summary: 'Read a conversation',
      responses: { 200: ok('The conversation.', conversationSchema), ...errorResponses(401, 404, 429, 503) },
    },
    async (c) => c.json(toConversation(await requireSession(c.get('tenant'), c.req.param('id')))),
  );

  routes.add(
    {
      method: 'post',
      path: '/conversations/{id}',
      tag,
      summary: "Replace a conversation's metadata",
      body: updateConversation,
      responses: { 200: ok('The conversation.', conversationSchema), ...errorResponses(400, 401, 404, 413, 415, 429, 503) },
    },
    async (c, { body }) => {
      const id = c.req.param('id') ?? '';
      const session = await sessions.update(c.get('tenant'), id, body.metadata ?? {});
      if (session === undefined) throw notFound('Conversation', id);
      return c.json(toConversation(session));
    },
  );

  routes.add(
    {
      method: 'delete',
      path: '/conversations/{id}',
      tag,
      summary: 'Delete a conversation; what runs in it is stopped, its responses stay',
      responses: { 200: ok('It is gone.', deletedSchema('conversation.deleted')), ...errorResponses(401, 404, 429, 503) },
    },
    async (c) => {
      const id = c.req.param('id') ?? '';
      if (!(await sessions.delete(c.get('tenant'), id))) throw notFound('Conversation', id);
      return c.json({ id, object: 'conversation.deleted', deleted: true });
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/conversations/{id}/items',
      tag,
      summary: 'List the items of a conversation',
      query: itemsQuery.extend({ turns }),
      responses: { 200: ok('A page of items.', listSchema(itemSchema)), ...errorResponses(400, 401, 404, 429, 503) },
    },
    async (c, { query }) => {
      const session = await requireSession(c.get('tenant'), c.req.param('id'));
      const page = await itemPage(query, sessions.itemsOf(session));
      if (query.turns !== 'true') return c.json(page);
      const of = await sessions.turnsOf(
        session,
        page.data.map(({ id }) => id),
      );
      return c.json({ ...page, data: page.data.map((item) => ({ ...item, turn: of.get(item.id) ?? null })) });
    },
  );

  routes.add(
    {
      method: 'post',
      path: '/conversations/{id}/items',
      tag,
      summary: 'Put items into a conversation, behind what is there',
      query: itemsQuery.pick({ include: true }),
      body: createItems,
      responses: { 200: ok('The items.', listSchema(itemSchema)), ...errorResponses(400, 401, 404, 413, 415, 429, 503) },
    },
    async (c, { body }) => {
      const session = await requireSession(c.get('tenant'), c.req.param('id'));
      const added = await sessions.addItems(session, newItems(body.items));
      if (added === undefined) throw notFound('Conversation', session.id);
      return c.json(listPage(added, { limit: added.length }));
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/conversations/{id}/items/{item}',
      tag,
      summary: 'Read an item of a conversation',
      query: itemsQuery.pick({ include: true }),
      responses: { 200: ok('The item.', itemSchema), ...errorResponses(400, 401, 404, 429, 503) },
    },
    async (c) => {
      const session = await requireSession(c.get('tenant'), c.req.param('id'));
      const id = c.req.param('item') ?? '';
      const item = await sessions.readItem(session, id);
      if (item === undefined) throw notFound('Item', id);
      return c.json(item);
    },
  );

  routes.add(
    {
      method: 'delete',
      path: '/conversations/{id}/items/{item}',
      tag,
      summary: 'Delete an item of a conversation',
      responses: { 200: ok('The conversation, without it.', conversationSchema), ...errorResponses(401, 404, 429, 503) },
    },
    async (c) => {
      const session = await requireSession(c.get('tenant'), c.req.param('id'));
      const id = c.req.param('item') ?? '';
      if (!(await sessions.deleteItem(session, id))) throw notFound('Item', id);
      return c.json(toConversation(session));
    },
  );
}

function toListed(session: ListedSession) {
  return { ...toConversation(session), last_used_at: Math.floor(session.usedAtMs / 1_000), preview: session.firstWords };
}

export function toConversation({ id, createdAtMs, metadata }: SessionRow) {
  return { id, object: 'conversation', created_at: Math.floor(createdAtMs / 1_000), metadata } as const;
}
