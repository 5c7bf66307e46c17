/** `/v1/chat/completions`: those that were stored, as OpenAI's client lists, reads, changes and deletes them. */
import type { Context } from 'hono';
import { z } from 'zod';
import type { StoredCompletion } from '../../domain/turn/turn-list.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { notFound } from '../http/errors.ts';
import { defaultLimit, listPage, maxPageChars } from '../http/pagination.ts';
import { metadata, pageQuery } from '../http/request-fields.ts';
import { completionSchema, deletedSchema, errorResponses, listSchema, ok } from '../http/response-schemas.ts';
import type { GatewayEnv, Routes } from '../http/route.ts';
import { completionId, finishOf, toCompletion } from './completion.ts';
import { storedMessages } from './stored-messages.ts';

const tag = 'Chat Completions';

const listQuery = pageQuery.extend({
  model: z.string().optional(),
  metadata: metadata.optional().meta({ description: 'Pairs that the metadata has: `metadata[key]=value`.' }),
});

const messageSchema = z.looseObject({ id: z.string(), role: z.string(), content: z.string().nullable() });

export function storedCompletionRoutes(routes: Routes, { turnkeep }: { readonly turnkeep: Turnkeep }): void {
  const { completions } = turnkeep;

  routes.add(
    {
      method: 'get',
      path: '/chat/completions',
      tag,
      summary: 'List the stored completions, oldest first',
      query: listQuery,
      responses: { 200: ok('A page of completions.', listSchema(completionSchema)), ...errorResponses(400, 401, 429, 503) },
    },
    async (c, { query }) => {
      const { limit = defaultLimit, order = 'asc', after, model, metadata: pairs } = query;
      const rows = await completions.listCompletions(c.get('tenant'), {
        limit: limit + 1,
        order,
        ...(after === undefined ? {} : { after: responseIdOf(after) }),
        ...(model === undefined ? {} : { model }),
        ...(pairs === undefined ? {} : { metadata: pairs }),
      });
      return c.json(rows === undefined ? listPage(rows, query) : await completionPage(turnkeep, rows, limit));
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/chat/completions/{id}',
      tag,
      summary: 'Read a stored completion',
      responses: { 200: ok('The completion.', completionSchema), ...errorResponses(401, 404, 429, 503) },
    },
    async (c) => c.json((await requireCompletion(c, turnkeep)).completion),
  );

  routes.add(
    {
      method: 'post',
      path: '/chat/completions/{id}',
      tag,
      summary: 'Change the metadata of a stored completion',
      body: z.strictObject({ metadata: metadata.nullable() }),
      responses: { 200: ok('The completion.', completionSchema), ...errorResponses(400, 401, 404, 413, 415, 429, 503) },
    },
    async (c, { body }) => {
      const { row, id } = await requireCompletion(c, turnkeep);
      const updated = await completions.updateCompletion(c.get('tenant'), row.publicId, body.metadata ?? {});
      const completion = updated && (await completionOf(turnkeep, updated));
      if (completion === undefined) throw notFound('Chat completion', id);
      return c.json(completion);
    },
  );

  routes.add(
    {
      method: 'delete',
      path: '/chat/completions/{id}',
      tag,
      summary: 'Delete a stored completion',
      responses: { 200: ok('It is gone.', deletedSchema('chat.completion.deleted')), ...errorResponses(401, 404, 429, 503) },
    },
    async (c) => {
      const { row, id } = await requireCompletion(c, turnkeep);
      if (!(await turnkeep.deleteTurn(c.get('tenant'), row.publicId))) throw notFound('Chat completion', id);
      return c.json({ id, object: 'chat.completion.deleted', deleted: true });
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/chat/completions/{id}/messages',
      tag,
      summary: 'List the messages that a stored completion was asked with, the first one first',
      query: pageQuery,
      responses: { 200: ok('A page of messages.', listSchema(messageSchema)), ...errorResponses(400, 401, 404, 429, 503) },
    },
    async (c, { query }) => {
      const { row, id } = await requireCompletion(c, turnkeep);
      const turn = await turnkeep.readTurn(c.get('tenant'), row.publicId);
      if (turn === undefined) throw notFound('Chat completion', id);
      const all = storedMessages(await turnkeep.readInput(turn), turn.settings.instructions, row.isLegacy);
      const messages = all.map((message, index) => ({ id: `${id}-${index}`, ...message }));
      if (query.order === 'desc') messages.reverse();
      const at = messages.findIndex((message) => message.id === query.after);
      if (query.after !== undefined && at < 0) return c.json(listPage(undefined, query));
      const { limit = defaultLimit } = query;
      const page = pageOf(messages.slice(at + 1, at + 1 + limit));
      return c.json(listPage(messages.slice(at + 1), { limit: page.length }));
    },
  );
}

interface StoredObject {
  readonly id: string;
}

/** Whoever has the id of the turn may ask by that too. */
function responseIdOf(id: string): string {
  return id.replace(/^chatcmpl-/, 'resp_');
}

async function requireCompletion(
  c: Context<GatewayEnv>,
  turnkeep: Turnkeep,
): Promise<{ id: string; row: StoredCompletion; completion: StoredObject }> {
  const id = c.req.param('id') ?? '';
  const row = await turnkeep.completions.findCompletion(c.get('tenant'), responseIdOf(id));
  const completion = row && (await completionOf(turnkeep, row));
  if (row === undefined || completion === undefined) throw notFound('Chat completion', id);
  return { id: completionId(row.publicId), row, completion };
}

/** As the answer to its request was. undefined: its turn is gone meanwhile. */
async function completionOf(turnkeep: Turnkeep, row: StoredCompletion): Promise<StoredObject | undefined> {
  const response = await turnkeep.readSettledResponse(row.turn);
  if (response === undefined) return undefined;
  const finish = finishOf(response, row.isLegacy);
  if (finish.type === 'error') return undefined;
  return { id: completionId(row.publicId), ...toCompletion(response, finish.reason, row.isLegacy, row.metadata) };
}

/** Completions may be large: each is read by itself, and a page ends early behind the one that makes it long (T14). */
async function completionPage(turnkeep: Turnkeep, rows: readonly StoredCompletion[], limit: number): Promise<object> {
  const data: StoredObject[] = [];
  let chars = 0;
  for (const row of rows.slice(0, limit)) {
    if (chars >= maxPageChars) return { ...listPage(data, { limit: data.length }), has_more: true };
    const completion = await completionOf(turnkeep, row);
    if (completion === undefined) continue;
    data.push(completion);
    chars += JSON.stringify(completion).length;
  }
  return { ...listPage(data, { limit: data.length }), has_more: rows.length > limit };
}

/** As many of them as make a page of a bounded size. */
function pageOf<T>(messages: readonly T[]): readonly T[] {
  let chars = 0;
  const end = messages.findIndex((message) => {
    chars += JSON.stringify(message).length;
    return chars >= maxPageChars;
  });
  return end < 0 ? messages : messages.slice(0, end + 1);
}
