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

export const time = z.iso.datetime();
/** The body of a webhook. */
export const webhookSchema = z.strictObject({
  id: z.string(),
  object: z.literal('event'),
  created_at: z.int(),
  type: z.enum(webhookEvents),
  data: z.strictObject({ id: z.string().meta({ description: 'Of the response.' }) }),
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
  403: 'The key has not the scope for it.',
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
