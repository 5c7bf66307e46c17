/** `/v1/responses`: submit, read, follow, cancel. */
import type { Context, Hono } from 'hono';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { AttemptRow, Submission, TurnRow, Turnkeep } from '../client/turnkeep.ts';
import type { GatewayEnv } from './env.ts';
import { writeWhenReady } from './blocking.ts';
import { readJson } from './body.ts';
import { ApiError, notFound, validationError } from './errors.ts';
import { createHeaders, createResponse, type CreateResponse, retrieveQuery } from './schemas.ts';
import { writeSse } from './sse.ts';

export interface ResponsesDeps {
  readonly turnkeep: Turnkeep;
  /** Used when a request names no model. */
  readonly defaultModel: string | undefined;
  readonly onStreamError: (error: unknown) => void;
  readonly idleCommentMs?: number | undefined;
}

export function responsesRoutes(app: Hono<GatewayEnv>, deps: ResponsesDeps): void {
  const { turnkeep } = deps;

  app.post('/responses', async (c) => {
    const headersGiven = createHeaders.safeParse(c.req.header());
    if (!headersGiven.success) throw validationError(headersGiven.error);
    const body = await parse(createResponse, c);
    const turn = await submit(c, body, deps);
    const headers = { 'x-turnkeep-response-id': turn.id };
    if (body.stream === true) return stream(c, deps, turn, -1, headers);
    if (body.background === true) return c.json(await turnkeep.readResponse(turn), 200, headers);
    const answered = writeWhenReady(
      c.env.outgoing,
      async (signal) => {
        const settled = await turnkeep.settled(turn.id, signal);
        if (settled === undefined) return undefined;
        await turnkeep.markDelivered(turn.id);
        return turnkeep.readResponse(settled);
      },
      { ...headers, ...requestId(c) },
    );
    answered.catch(deps.onStreamError);
    return RESPONSE_ALREADY_SENT;
  });

  app.get('/responses/:id', async (c) => {
    const query = retrieveQuery.safeParse(c.req.query());
    if (!query.success) throw validationError(query.error);
    const turn = await known(c, turnkeep);
    const isStream = query.data.stream === 'true' || query.data.stream === '1';
    if (!isStream) {
      if (query.data.starting_after !== undefined) {
        throw new ApiError({ status: 400, param: 'starting_after', message: "Invalid 'starting_after': it goes with stream=true." });
      }
      if (turn.settledAtMs !== null) await turnkeep.markDelivered(turn.id);
      return c.json(await turnkeep.readResponse(turn));
    }
    return stream(c, deps, turn, query.data.starting_after ?? lastEventId(c) ?? -1, {});
  });

  app.post('/responses/:id/cancel', async (c) => {
    const id = c.req.param('id');
    const result = await turnkeep.cancel(c.get('tenant'), id);
    if (result.type === 'unknown') throw notFound('Response', id);
    if (result.type === 'already_settled') {
      throw new ApiError({
        status: 400,
        code: 'response_already_settled',
        message: `Response '${id}' cannot be cancelled: it is already ${result.turn.status}.`,
      });
    }
    return c.json(result.response);
  });
}

async function submit(c: Context<GatewayEnv>, body: CreateResponse, { turnkeep, defaultModel }: ResponsesDeps): Promise<TurnRow> {
  const tenant = c.get('tenant');
  const session = typeof body.conversation === 'string' ? body.conversation : (body.conversation?.id ?? null);
  const previous = body.previous_response_id ?? null;
  if (session !== null && previous !== null) {
    throw new ApiError({
      status: 400,
      param: 'previous_response_id',
      code: 'mutually_exclusive_parameters',
      message: "'conversation' and 'previous_response_id' cannot be used together. Leave one out.",
    });
  }
  const model = body.model ?? defaultModel;
  if (model === undefined) {
    throw new ApiError({
      status: 400,
      param: 'model',
      code: 'missing_required_parameter',
      message: "Missing 'model': name one in the request, or set TURNKEEP_MODEL for the gateway.",
    });
  }
  if (session !== null && (await turnkeep.readSession(tenant, session)) === undefined) {
    throw notFound('Conversation', session, 'conversation');
  }
  if (previous !== null) await mustBeSettled(turnkeep, tenant, previous);
  const result = await turnkeep.submit({
    tenant,
    session,
    previous,
    settings: settingsOf(body, model),
    input: inputOf(body.input),
    idempotencyKey: c.req.header('idempotency-key') ?? null,
    isResend: Number(c.req.header('x-stainless-retry-count') ?? 0) > 0,
  });
  if (result.type === 'key_conflict') {
    throw new ApiError({
      status: 422,
      code: 'idempotency_key_reused',
      message: 'This Idempotency-Key was used with another body. Use a new key for a new request.',
    });
  }
  return result.turn;
}

async function mustBeSettled(turnkeep: Turnkeep, tenant: string, id: string): Promise<void> {
  const param = 'previous_response_id';
  const turn = await turnkeep.readTurn(tenant, id);
  if (turn === undefined) {
    throw new ApiError({
      status: 400,
      param,
      code: 'previous_response_not_found',
      message: `Previous response with id '${id}' not found.`,
    });
  }
  if (turn.settledAtMs === null) {
    throw new ApiError({
      status: 400,
      param,
      code: 'previous_response_not_settled',
      message: `Response '${id}' is still ${turn.status}. Wait for its end or cancel it; in a conversation, turns wait for each other.`,
    });
  }
}

async function stream(
  c: Context<GatewayEnv>,
  { turnkeep, onStreamError, idleCommentMs }: ResponsesDeps,
  turn: TurnRow,
  after: number,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const written = writeSse({
    outgoing: c.env.outgoing,
    rows: (signal) => turnkeep.follow(turn.id, after, signal),
    onEnd: () => turnkeep.markDelivered(turn.id),
    idleCommentMs,
    notice: async () => retryNotice(await turnkeep.readAttempts(turn.id)),
    headers: { ...headers, ...requestId(c) },
  });
  written.catch(onStreamError);
  return RESPONSE_ALREADY_SENT;
}

/** `retry 2 of 3 in 1000 ms: transport_failed`, while the last request has failed and another is due. */
function retryNotice(attempts: readonly AttemptRow[]): string | undefined {
  const last = attempts.at(-1);
  if (last?.waitMs === undefined) return undefined;
  return `retry ${last.attempt + 1} of 3 in ${last.waitMs} ms: ${last.code ?? last.outcome ?? ''}`;
}

async function known(c: Context<GatewayEnv>, turnkeep: Turnkeep): Promise<TurnRow> {
  const id = c.req.param('id') ?? '';
  const turn = await turnkeep.readTurn(c.get('tenant'), id);
  if (turn === undefined) throw notFound('Response', id);
  return turn;
}

async function parse(schema: typeof createResponse, c: Context<GatewayEnv>): Promise<CreateResponse> {
  const result = schema.safeParse(await readJson(c.env.incoming));
  if (!result.success) throw validationError(result.error);
  return result.data;
}

function lastEventId(c: Context<GatewayEnv>): number | undefined {
  const header = c.req.header('last-event-id');
  if (header === undefined || header === '') return undefined;
  if (!/^\d{1,15}$/.test(header)) {
    throw new ApiError({ status: 400, param: 'Last-Event-ID', message: "Invalid 'Last-Event-ID': must be a whole number from 0." });
  }
  return Number(header);
}

function settingsOf(body: CreateResponse, model: string): Submission['settings'] {
  return {
    model,
    instructions: body.instructions ?? null,
    temperature: body.temperature ?? null,
    top_p: body.top_p ?? null,
    presence_penalty: body.presence_penalty ?? null,
    frequency_penalty: body.frequency_penalty ?? null,
    top_logprobs: body.top_logprobs ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    store: true,
    background: body.background ?? false,
    user: body.user ?? null,
  };
}

function inputOf(input: CreateResponse['input']): Submission['input'] {
  const messages = typeof input === 'string' ? [{ role: 'user' as const, content: input }] : input;
  return messages.map(({ role, content }) => {
    const type = role === 'assistant' ? ('output_text' as const) : ('input_text' as const);
    const texts = typeof content === 'string' ? [content] : content.map((part) => part.text);
    return { type: 'message', status: 'completed', role, content: texts.map((text) => ({ type, text })) };
  });
}

/** Answers written past the framework carry its id themselves. */
function requestId(c: Context<GatewayEnv>): Record<string, string> {
  return { 'x-request-id': c.get('requestId') };
}
