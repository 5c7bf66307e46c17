/** `/turns/{id}/fork` and `/turns/{id}/rerun`: a new conversation that shares the past of a turn, and the same turn asked again in one. */
import type { Context } from 'hono';
import { z } from 'zod';
import type { SessionRow } from '../../domain/turn/session.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Edit, ForkResult } from '../../client/fork-turn.ts';
import { toConversation } from '../conversations/routes.ts';
import { ApiError, notFound } from '../http/errors.ts';
import { conversationSchema, errorResponses, ok, responseSchema, turnHeaders } from '../http/response-schemas.ts';
import type { GatewayEnv, Routes } from '../http/route.ts';
import { conversationItem, type ConversationItemBody } from '../responses/item-schema.ts';
import { toNewItem } from '../responses/items.ts';
import { expired, idHeaders } from '../stream/serve-turn.ts';
import { draining, toApiError } from '../submit/submit-error.ts';
import { type SubmitDeps, submitHeaders } from '../submit/submit-turn.ts';
import { changedFields, rerunSettings } from './rerun-settings.ts';

const maxEdits = 100;

const headers = submitHeaders.pick({ 'idempotency-key': true });

const step = z
  .int()
  .min(1, 'must be 1 or more')
  .nullish()
  .meta({ description: 'A model call of the turn, from 1: the past ends before it.' });
const edit = z
  .array(conversationItem)
  .max(maxEdits, `has ${maxEdits} items at most`)
  .nullish()
  .meta({ description: 'Items that take the place of those of the turn that have the same id.' });

const forkBody = z.strictObject({ step, edit });
const rerunBody = z.strictObject({
  from: step,
  edit,
  set: changedFields.nullish().meta({ description: 'Fields of `POST /v1/responses`, in place of those of the turn.' }),
  tools: z
    .enum(['run', 'recorded'], "must be 'run' or 'recorded'")
    .nullish()
    .meta({ description: '`recorded`: no tool runs, each call is answered with what the same call came to in the turn.' }),
});

export type BranchesDeps = Pick<SubmitDeps, 'agents' | 'isDraining' | 'providerApi' | 'turnkeep'>;

export function branchesRoutes(routes: Routes, deps: BranchesDeps): void {
  const { turnkeep } = deps;

  /** @param key of the client's, with all that it asks for under it */
  async function fork(
    turn: TurnRow,
    { step: at, edit: edits }: z.infer<typeof forkBody>,
    { param, key }: { readonly param: 'step' | 'from'; readonly key: string | undefined },
  ): Promise<SessionRow> {
    const result = await turnkeep.sessions.fork(turn, {
      step: at ?? undefined,
      edits: (edits ?? []).map(editOf),
      idempotencyKey: key === undefined ? undefined : JSON.stringify([param, key, at, edits]),
    });
    if (result.type === 'forked') return result.session;
    throw toForkError(result, turn, param);
  }

  async function requireTurn(c: Context<GatewayEnv>): Promise<TurnRow> {
    const id = c.req.param('id') ?? '';
    const turn = await turnkeep.readTurn(c.get('tenant'), id);
    if (turn === undefined) throw notFound('Turn', id);
    if (turn.erasedBy !== null) throw expired(turn);
    return turn;
  }

  const errors = errorResponses(400, 401, 404, 409, 410, 413, 415, 429, 503);

  routes.add(
    {
      method: 'post',
      path: '/turns/{id}/fork',
      tag: 'Turns',
      summary: 'Begin a conversation that shares the past of a turn, up to one of its steps',
      description: 'Without a step it goes on behind the turn. The turn and its own conversation stay as they are.',
      headers,
      body: forkBody,
      isBodyOptional: true,
      responses: { 200: ok('The new conversation.', conversationSchema), ...errors },
    },
    async (c, { body, headers: { 'idempotency-key': key } }) =>
      c.json(toConversation(await fork(await requireTurn(c), body, { param: 'step', key }))),
  );

  routes.add(
    {
      method: 'post',
      path: '/turns/{id}/rerun',
      tag: 'Turns',
      summary: 'Ask a turn again, in a new conversation that shares its past',
      description: 'The model is asked once more, and that costs what it costs. Answers at once, like `background`.',
      headers,
      makesTurn: true,
      body: rerunBody,
      isBodyOptional: true,
      responses: { 200: { ...ok('The new response.', responseSchema), headers: turnHeaders }, ...errors },
    },
    async (c, { body, headers: { 'idempotency-key': key } }) => {
      const origin = await requireTurn(c);
      if (deps.isDraining()) throw draining();
      const settings = rerunSettings(deps, origin, body.set ?? {});
      const session = await fork(origin, { step: body.from ?? 1, edit: body.edit }, { param: 'from', key });
      const result = await turnkeep.submit({
        tenant: c.get('tenant'),
        settings: body.tools === 'recorded' ? { ...settings, recorded_calls_of: origin.id } : settings,
        input: [],
        session: session.id,
        previous: null,
        // A key of another kind of request may be the same.
        idempotencyKey: key === undefined ? null : `rerun of ${origin.publicId}: ${key}`,
        isResend: false,
        receivedAtMs: c.get('receivedAtMs'),
      });
      // A refused rerun leaves no conversation behind.
      if (result.type !== 'accepted' && key === undefined) await turnkeep.sessions.delete(c.get('tenant'), session.id);
      if (result.type !== 'accepted') throw toApiError(result, { session: session.id, id: undefined, fields: undefined });
      return c.json(await turnkeep.readAccepted(result.turn), 200, { ...idHeaders(c, result.turn) });
    },
  );
}

/** @throws ApiError 400 naming the item that has no id */
function editOf(body: ConversationItemBody, index: number): Edit {
  const { id } = body as { readonly id?: unknown };
  if (typeof id === 'string' && id !== '') return { id, item: toNewItem(body) };
  const message = `Missing 'edit[${index}].id': it says which item of the turn this one takes the place of.`;
  throw new ApiError({ status: 400, param: `edit[${index}].id`, code: 'missing_required_parameter', message });
}

function toForkError(result: Exclude<ForkResult, { type: 'forked' }>, turn: TurnRow, param: string): ApiError {
  const { publicId } = turn;
  switch (result.type) {
    case 'gone': {
      return expired(turn);
    }
    case 'unsettled': {
      const message = `Turn '${publicId}' has no end yet. Wait for it, or cancel it, and ask again.`;
      return new ApiError({ status: 409, code: 'turn_not_settled', message, headers: { 'x-should-retry': 'false' } });
    }
    case 'unknown_step': {
      const known = result.steps === 0 ? 'asked the model nothing: its only place is step 1' : `has the steps 1 to ${result.steps}`;
      return new ApiError({ status: 400, param, code: 'invalid_value', message: `Invalid '${param}': turn '${publicId}' ${known}.` });
    }
    case 'unknown_item': {
      const at = `edit[${result.index}].id`;
      const message = `Invalid '${at}': turn '${publicId}' has no item '${result.id}' up to there. What came before the turn is another turn's: fork that one.`;
      return new ApiError({ status: 400, param: at, code: 'invalid_value', message });
    }
    default:
      return result satisfies never;
  }
}
