/** Schemas of the routes' responses, for `/openapi.json` only: responses are not validated on their way out. */
import { z } from 'zod';
import { webhookEvents } from '../../domain/turn/webhook.ts';
import type { ResponseSpec } from './route.ts';

/** An item of any type. */
export const itemSchema = z.looseObject({ id: z.string(), type: z.string() });

export const responseSchema = z.looseObject({
  id: z.string(),
  object: z.literal('response'),
  created_at: z.int(),
  status: z.enum(['queued', 'in_progress', 'completed', 'incomplete', 'cancelled', 'failed']),
  model: z.string(),
  output: z.array(itemSchema),
  error: z.looseObject({ code: z.string(), message: z.string() }).nullable(),
  incomplete_details: z.looseObject({ reason: z.string() }).nullable(),
});

export const completionSchema = z.looseObject({
  id: z.string(),
  object: z.literal('chat.completion'),
  created: z.int(),
  model: z.string(),
  choices: z.array(z.looseObject({ index: z.int(), finish_reason: z.string() })),
});

const time = z.iso.datetime();
const usageSchema = z.looseObject({ input_tokens: z.int(), output_tokens: z.int(), total_tokens: z.int() });

const attemptSchema = z.strictObject({
  attempt: z.int().min(1),
  requested_at: time,
  first_event_at: time.optional(),
  ended_at: time.nullable(),
  outcome: z.enum(['running', 'completed', 'incomplete', 'cancelled', 'failed', 'lost']),
  code: z.string().optional(),
  detail: z.string().optional(),
  wait_ms: z.int().optional().meta({ description: 'How long the next attempt waits.' }),
  provider_request_id: z.string().optional(),
  worker: z.string().optional().meta({ description: 'The process that made the request.' }),
});

const toolCallSchema = z.strictObject({
  name: z.string(),
  server_label: z
    .string()
    .meta({ description: '`turnkeep`: a tool of the configuration; `agent`: another agent; else the name of an MCP server.' }),
  call_id: z.string(),
  runs: z.int().meta({ description: 'How often it was begun.' }),
  started_at: time.nullable(),
  ended_at: time.nullable(),
  outcome: z.enum(['waiting', 'running', 'completed', 'failed', 'unknown', 'cut_off']),
  attempts: z.array(
    z.strictObject({
      attempt: z.int().min(1),
      started_at: time,
      ended_at: time.nullable(),
      outcome: z.enum(['running', 'completed', 'failed', 'lost', 'cut_off']),
      worker: z.string().optional().meta({ description: 'The process that ran the tool.' }),
    }),
  ),
  result: z.string().optional().meta({ description: 'Where all that it came to is: the path of `GET /turns/{id}/calls/{number}`.' }),
  progress: z.string().optional(),
  turn: z.string().optional().meta({ description: 'Of a call of an agent: the id of the turn that carries it out.' }),
  usage: usageSchema.optional().meta({ description: 'Tokens of that turn, and of those that it called.' }),
});

const pricedUsage = usageSchema.extend({
  cost_usd: z.number().optional().meta({ description: 'By `prices` of the configuration, where the model has one.' }),
});

/** What `GET /turns/{id}` tells. */
export const turnSchema = z.strictObject({
  id: z.string(),
  session: z.string().nullable(),
  parent: z
    .strictObject({ id: z.string(), call_id: z.string() })
    .optional()
    .meta({ description: 'The turn, and its call, that this one carries out.' }),
  status: responseSchema.shape.status,
  model: z.string(),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  workflow_id: z.string().nullable(),
  run_id: z.string().nullable(),
  owner: z.string().optional().meta({ description: "The id of the workflow of one's own that runs it (`runTurn`)." }),
  created_at: time,
  settled_at: time.nullable(),
  steps: z.array(
    z.union([
      z.strictObject({ kind: z.enum(['model', 'compaction']), started: z.boolean(), attempts: z.array(attemptSchema) }),
      z.strictObject({ kind: z.literal('tools'), started: z.boolean(), calls: z.array(toolCallSchema) }),
    ]),
  ),
  usage: pricedUsage.nullable().meta({
    description:
      "The response's own `usage`, with the agents that were called: of requests whose answers are in it. null: there are none, or the provider did not say.",
  }),
  lost_usage: pricedUsage
    .nullable()
    .meta({ description: 'What requests that failed have cost, which `usage` does not count; null: not known of all of them.' }),
  omitted_tools: z
    .array(z.strictObject({ param: z.string(), type: z.string(), name: z.string().optional() }))
    .optional()
    .meta({ description: 'Tools of the request that this provider cannot have: the model was not offered them.' }),
  omitted_fields: z
    .array(z.strictObject({ param: z.string(), type: z.string() }))
    .optional()
    .meta({ description: 'What else was asked for and not done, since this provider cannot: `context_management`.' }),
  retry_at: time.optional().meta({ description: 'When the provider said that it would take the request again.' }),
  webhook: z
    .strictObject({
      event_id: z.string(),
      event: z.enum(webhookEvents),
      status: z.enum(['pending', 'delivered', 'refused', 'given_up']),
      attempts: z.int(),
      last_error: z.string().nullable().meta({ description: 'Such as `500` or `ECONNREFUSED`, of the last request that failed.' }),
    })
    .optional()
    .meta({ description: 'Of a background response that has ended, where an endpoint is told of it.' }),
  output: z.array(itemSchema).nullable().meta({ description: 'What the model said so far; null: the turn is past retention.' }),
  links: z.strictObject({
    response: z.string(),
    temporal: z.string().optional().meta({ description: "The run in Temporal's UI, where its address is known." }),
  }),
});

/** The body of a webhook. */
export const webhookSchema = z.strictObject({
  id: z.string(),
  object: z.literal('event'),
  created_at: z.int(),
  type: z.enum(webhookEvents),
  data: z.strictObject({ id: z.string().meta({ description: 'Of the response.' }) }),
});

/** A turn in `GET /turns`. */
export const listedTurnSchema = turnSchema
  .pick({ id: true, session: true, status: true, owner: true, created_at: true, settled_at: true, usage: true })
  .extend({
    model: z.string().nullable().meta({ description: 'null: an older version did not note it.' }),
    error: z
      .strictObject({ code: z.string(), message: z.string(), detail: z.string().optional() })
      .nullable()
      .meta({ description: 'The words of the provider are in `/turns/{id}`.' }),
    requests: z.int().meta({ description: 'Requests to the model so far.' }),
  });

const amountSchema = z.strictObject({
  requests: z.int(),
  input_tokens: z.int(),
  cached_tokens: z.int().meta({ description: 'Of the input tokens.' }),
  output_tokens: z.int(),
  cost_usd: z.number().meta({ description: 'By `prices` of the configuration; of models without a price nothing is counted.' }),
});
const spentSchema = z.strictObject({ turns: z.int(), spent: amountSchema, lost: amountSchema });
const milliseconds = z.number().nullable();

/** What `GET /stats` tells. */
export const turnStatsSchema = z.strictObject({
  object: z.literal('turn_stats'),
  since: time.nullable(),
  until: time.nullable(),
  complete: z.boolean().meta({ description: 'false: there are more turns than are looked at; all since `since` are counted.' }),
  turns: z.int(),
  ends: z.array(z.strictObject({ status: responseSchema.shape.status, code: z.string().nullable(), turns: z.int() })),
  first_token_ms: z
    .strictObject({ turns: z.int(), p50: milliseconds, p90: milliseconds, p99: milliseconds })
    .meta({ description: 'From the acceptance of a turn to its first token, of those that have one.' }),
  retries: z.strictObject({
    requests: z.int().meta({ description: 'Those that were made again.' }),
    turns_saved: z.int().meta({ description: 'Turns that completed, and would not have without.' }),
  }),
  spent: amountSchema.meta({ description: 'By all requests, as far as the provider has counted them.' }),
  lost: amountSchema
    .extend({ uncounted_requests: z.int().meta({ description: 'Those of which the provider has told nothing.' }) })
    .meta({ description: 'Of that, by requests that failed or whose worker died.' }),
  models: z
    .array(spentSchema.extend({ model: z.string().nullable() }))
    .meta({ description: 'By what requests named as their model, an agent too: the 50 that cost most.' }),
  other_models: spentSchema.extend({ model: z.null(), names: z.int() }).optional().meta({ description: 'All others together.' }),
});

export const conversationSchema = z.strictObject({
  id: z.string(),
  object: z.literal('conversation'),
  created_at: z.int(),
  metadata: z.record(z.string(), z.string()),
});

/** A conversation in a list: what a person tells it by, beside its title in the metadata. */
export const listedConversationSchema = conversationSchema.extend({
  last_used_at: z.int(),
  preview: z.string().nullable().meta({ description: 'The first words of its first turn.' }),
});

export const errorSchema = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});

export const listSchema = (schema: z.ZodType) =>
  z.strictObject({
    object: z.literal('list'),
    data: z.array(schema),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  });

export const deletedSchema = (object: string) => z.strictObject({ id: z.string(), object: z.literal(object), deleted: z.literal(true) });

export const ok = (description: string, schema: z.ZodType): ResponseSpec => ({ description, schema });

/** Of every response to a submit. */
export const turnHeaders = {
  'x-turnkeep-response-id': 'The id of the response.',
  'x-turnkeep-omitted': 'What this provider cannot have and was left out: `context_management[0]=compaction, tools[0]=web_search, …`.',
} as const;

export const errorResponses = (...statuses: readonly (keyof typeof errorDescriptions)[]): { [status: number]: ResponseSpec } =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: errorDescriptions[status], schema: errorSchema, ...(status === 429 || status === 503 ? { headers: retryAfter } : {}) },
    ]),
  );

const retryAfter = { 'retry-after': 'Seconds to wait.' };

const errorDescriptions = {
  400: 'Something in the request is wrong: `error.param` names it.',
  401: 'No API key, or an unknown one.',
  404: 'There is no such thing, or it is not yours.',
  409: 'The conversation is busy.',
  410: 'It is past retention.',
  413: 'The body is over 32 MiB.',
  415: 'The body is compressed.',
  422: 'The id or the idempotency key was used with another body.',
  424: 'The turn failed: `error.code` says how. It is not to be sent again by a program.',
  429: 'Too many requests, running or waiting turns, or bytes of bodies at once.',
  502: 'The model provider cannot be asked, or refused.',
  503: 'The database is busy, or cannot be written; or the model provider is busy.',
} as const;
