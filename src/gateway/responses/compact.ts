/**
 * `/v1/responses/compact`: a turn whose answer takes the place of what was said so far. It is as durable as any other, and
 * `GET /v1/responses/{id}` and `/turns` show it as one.
 */
import { z } from 'zod';
import type { InputMessage } from '../../domain/item.ts';
import { type ResponseObject, unknownUsage } from '../../domain/response/response.ts';
import { errorResponses, itemSchema, turnHeaders } from '../http/response-schemas.ts';
import type { Routes } from '../http/route.ts';
import { type BlockingResponse, serveBlocking } from '../stream/serve-blocking.ts';
import type { ServeDeps } from '../stream/serve-turn.ts';
import { requireModel, submitHeaders, type SubmitDeps, submitTurn } from '../submit/submit-turn.ts';
import { inputItem } from './item-schema.ts';
import { responsesInput } from './items.ts';
import { createResponse, misnamedInResponse } from './schema.ts';
import { responsesSettings } from './settings.ts';

const { stream: _stream, background: _background, conversation: _conversation, ...shape } = createResponse.shape;

/** What a response is asked for by, since clients send their usual settings with it; not all of it matters here. */
const compactRequest = z.strictObject(shape).refine((body) => body.previous_response_id != null || (body.input ?? '').length > 0, {
  path: ['input'],
  params: { code: 'missing_required_parameter' },
  message: "may only be left out or empty with a 'previous_response_id' to compact",
});

const compacted = z.looseObject({
  id: z.string(),
  object: z.literal('response.compaction'),
  created_at: z.int(),
  output: z.array(itemSchema),
});

export interface CompactDeps extends SubmitDeps, ServeDeps {
  /** How long the headers wait for the end, so that a failure has its HTTP status: a summary takes its time. */
  readonly compactHeadersWithinMs?: number;
}

export function compactRoute(routes: Routes, deps: CompactDeps): void {
  const { compactHeadersWithinMs: headersWithinMs = 60_000 } = deps;

  routes.add(
    {
      method: 'post',
      path: '/responses/compact',
      tag: 'Responses',
      summary: 'Compact a conversation: what to send in its place',
      description:
        'By the provider where it can, else by asking the model for a summary. The newest messages of the user stay as they are, and an item `compaction` stands for all else.',
      headers: submitHeaders,
      makesTurn: true,
      body: compactRequest,
      lists: { input: inputItem },
      misnamed: misnamedInResponse,
      responses: {
        200: { description: 'The items to go on with.', schema: compacted, headers: turnHeaders },
        ...errorResponses(400, 401, 404, 409, 410, 413, 415, 422, 424, 429, 503),
      },
    },
    async (c, { body, headers }) => {
      const turn = await submitTurn(c, deps, headers, {
        settings: { ...responsesSettings(body, requireModel(body.model, deps)), compacts: true },
        input: responsesInput(body.input ?? []),
        session: null,
        previous: body.previous_response_id ?? null,
      });
      const kept = await deps.turnkeep.readKeptMessages(turn);
      return serveBlocking(c, deps, turn, { encode: (response) => compactionOf(response, kept), headersWithinMs });
    },
  );
}

/** OpenAI's object, or an error with a status that no client sends again by itself: the turn has made its attempts. */
function compactionOf(response: ResponseObject, kept: readonly InputMessage[]): BlockingResponse {
  const { id, created_at, status, output, usage } = response;
  const item = output.find(({ type }: { readonly type: string }) => type === 'compaction');
  if (status === 'completed' && item !== undefined) {
    const body = { id, object: 'response.compaction', created_at, output: [...kept, item], usage: usage ?? unknownUsage };
    return { status: 200, body };
  }
  const { code, message } = response.error ?? {
    code: response.incomplete_details?.reason ?? status,
    message: 'The compaction was cut off before its end: it replaces nothing.',
  };
  const isTooLong = code === 'context_length_exceeded';
  const error = { message, type: isTooLong ? 'invalid_request_error' : 'server_error', param: null, code };
  return { status: isTooLong ? 400 : 424, headers: { 'x-should-retry': 'false' }, body: { error } };
}
