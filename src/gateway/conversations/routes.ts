/** `/v1/conversations`: OpenAI's name for sessions. */
import type { NewItem } from '../../domain/item.ts';
import type { SessionRow } from '../../domain/session.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { anyItem, conversation as conversationSchema, deleted, listOf as listSchema, ok, refusals } from '../http/response-schemas.ts';
import { notFound } from '../http/errors.ts';
import { listPage, pageRequest } from '../http/pagination.ts';
import type { HandItemBody } from '../responses/item-schema.ts';
import { newItem } from '../responses/items.ts';
import type { Routes } from '../http/route.ts';
import { refuse, type UnsupportedBy } from '../submit.ts';
import { itemsQuery, pageQuery } from '../http/request-fields.ts';
import { createConversation, createItems, updateConversation } from './schema.ts';

const tag = 'Conversations';

export function conversationsRoutes(routes: Routes, { sessions }: Turnkeep, unsupported: UnsupportedBy): void {
  function handItems(bodies: readonly HandItemBody[]): readonly NewItem[] {
    const items = bodies.map(newItem);
    refuse(unsupported.among(items));
    return items;
  }

  async function known(tenant: string, id: string | undefined): Promise<SessionRow> {
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
      answers: { 200: ok('The conversation.', conversationSchema), ...refusals(400, 401, 413, 415, 429) },
    },
    async (c, { body }) => c.json(conversation(await sessions.create(c.get('tenant'), body.metadata ?? {}, handItems(body.items ?? [])))),
  );

  routes.add(
    {
      method: 'get',
      path: '/conversations',
      tag,
      summary: 'List conversations by their latest use',
      query: pageQuery,
      answers: { 200: ok('A page of conversations.', listSchema(conversationSchema)), ...refusals(400, 401, 429) },
    },
    async (c, { query }) => {
      const found = await sessions.list(c.get('tenant'), pageRequest(query));
      return c.json(listPage(found?.map(conversation), query));
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/conversations/{id}',
      tag,
      summary: 'Read a conversation',
      answers: { 200: ok('The conversation.', conversationSchema), ...refusals(401, 404, 429) },
    },
    async (c) => c.json(conversation(await known(c.get('tenant'), c.req.param('id')))),
  );

  routes.add(
    {
      method: 'post',
      path: '/conversations/{id}',
      tag,
      summary: "Replace a conversation's metadata",
      body: updateConversation,
      answers: { 200: ok('The conversation.', conversationSchema), ...refusals(400, 401, 404, 413, 415, 429) },
    },
    async (c, { body }) => {
      const id = c.req.param('id') ?? '';
      const session = await sessions.update(c.get('tenant'), id, body.metadata ?? {});
      if (session === undefined) throw notFound('Conversation', id);
      return c.json(conversation(session));
    },
  );

  routes.add(
    {
      method: 'delete',
      path: '/conversations/{id}',
      tag,
      summary: 'Delete a conversation; what runs in it is stopped, its responses stay',
      answers: { 200: ok('It is gone.', deleted('conversation.deleted')), ...refusals(401, 404, 429) },
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
      query: itemsQuery,
      answers: { 200: ok('A page of items.', listSchema(anyItem)), ...refusals(400, 401, 404, 429) },
    },
    async (c, { query }) => {
      const session = await known(c.get('tenant'), c.req.param('id'));
      return c.json(listPage(await sessions.readItems(session, pageRequest(query)), query));
    },
  );

  routes.add(
    {
      method: 'post',
      path: '/conversations/{id}/items',
      tag,
      summary: 'Put items into a conversation, behind what is there',
      query: itemsQuery.pick({ include: true, 'include[]': true }),
      body: createItems,
      answers: { 200: ok('The items.', listSchema(anyItem)), ...refusals(400, 401, 404, 413, 415, 429) },
    },
    async (c, { body }) => {
      const session = await known(c.get('tenant'), c.req.param('id'));
      const items = await sessions.addItems(session, handItems(body.items));
      if (items === undefined) throw notFound('Conversation', session.id);
      return c.json(listPage(items, { limit: items.length }));
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/conversations/{id}/items/{item}',
      tag,
      summary: 'Read an item of a conversation',
      query: itemsQuery.pick({ include: true, 'include[]': true }),
      answers: { 200: ok('The item.', anyItem), ...refusals(400, 401, 404, 429) },
    },
    async (c) => {
      const session = await known(c.get('tenant'), c.req.param('id'));
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
      answers: { 200: ok('The conversation, without it.', conversationSchema), ...refusals(401, 404, 429) },
    },
    async (c) => {
      const session = await known(c.get('tenant'), c.req.param('id'));
      const id = c.req.param('item') ?? '';
      if (!(await sessions.deleteItem(session, id))) throw notFound('Item', id);
      return c.json(conversation(session));
    },
  );
}

function conversation({ id, createdAtMs, metadata }: SessionRow) {
  return { id, object: 'conversation', created_at: Math.floor(createdAtMs / 1_000), metadata } as const;
}
