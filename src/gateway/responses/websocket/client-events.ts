/**
 * What clients send over a WebSocket: OpenAI's `response.create` and `response.steer`, `response.cancel` as its Realtime API has
 * it, `response.processed` as Codex sends it, and `response.resume`, which is our own.
 */
import { z } from 'zod';
import { turnIdPattern } from '../../../client/ids.ts';
import { ApiError } from '../../http/errors.ts';
import { id } from '../../http/request-fields.ts';
import { validate } from '../../http/validate.ts';
import { submitHeaders } from '../../submit/submit-turn.ts';
import { inputItem } from '../item-schema.ts';

const eventTypes = ['response.create', 'response.steer', 'response.cancel', 'response.resume', 'response.processed'] as const;

export interface ClientEvent {
  readonly type: (typeof eventTypes)[number];
  readonly [field: string]: unknown;
}

/** @throws ApiError 400 naming `type` */
export function clientEventOf(value: unknown): ClientEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ApiError({ status: 400, code: 'invalid_value', message: 'A message is a JSON object with a type.' });
  }
  const { type } = value as { readonly type?: unknown };
  if (eventTypes.some((known) => known === type)) return value as ClientEvent;
  throw new ApiError({
    status: 400,
    param: 'type',
    code: type === undefined ? 'missing_required_parameter' : 'invalid_value',
    message: `${type === undefined ? "Missing required parameter: 'type'" : "Invalid 'type'"}: it is one of ${eventTypes.join(', ')}.`,
  });
}

const createEnvelope = z.object({
  ...submitHeaders.shape,
  generate: z.boolean().nullish(),
  background: z.literal([false, null], 'every response of a WebSocket is streamed, and goes on without it: leave it out').optional(),
});

export interface CreateEvent {
  /** The fields of `POST /v1/responses`. */
  readonly body: { readonly [field: string]: unknown };
  /** What are headers there, under the same names. */
  readonly headers: z.output<typeof submitHeaders>;
  /** false: nothing is asked of the model; the response is what later ones go on from. */
  readonly isGenerated: boolean;
}

/** @throws ApiError 400 naming the field */
export function createEventOf(event: ClientEvent): CreateEvent {
  const { type: _type, stream_id: _streamId, stream: _stream, ...rest } = event;
  const { generate, background: _background, ...headers } = validate(createEnvelope, rest) as z.output<typeof createEnvelope>;
  const own = new Set(Object.keys(createEnvelope.shape));
  const body = Object.fromEntries(Object.entries(rest).filter(([name]) => !own.has(name)));
  const cache: unknown = rest['prompt_cache_options'];
  const isPrewarm = typeof cache === 'object' && cache !== null && Reflect.get(cache, 'prewarm') === true;
  return { body, headers, isGenerated: !isPrewarm && generate !== false };
}

const cancelEvent = z.strictObject({
  type: z.literal('response.cancel'),
  /** Absent: the one that runs in the default stream. */
  response_id: id.nullish(),
  event_id: z.string().nullish(),
});

/** @throws ApiError 400 naming the field */
export function cancelEventOf(event: ClientEvent): z.output<typeof cancelEvent> {
  return validate(cancelEvent, event) as z.output<typeof cancelEvent>;
}

const processedEvent = z.object({ response_id: id });

/** The client has the end of a response. @throws ApiError 400 naming the field */
export function processedEventOf(event: ClientEvent): string {
  return (validate(processedEvent, event) as z.output<typeof processedEvent>).response_id;
}

const resumeEvent = z.strictObject({
  type: z.literal('response.resume'),
  response_id: id,
  starting_after: z.int('must be a whole number from 0').min(0, 'must be a whole number from 0').nullish(),
  stream_id: z.string().optional(),
});

/** @throws ApiError 400 naming the field */
export function resumeEventOf(event: ClientEvent): z.output<typeof resumeEvent> {
  return validate(resumeEvent, event) as z.output<typeof resumeEvent>;
}

export type SteerInput = string | readonly unknown[];

export interface SteerEvent {
  readonly target: string;
  /** As it came: it goes back to the client where nothing comes of it. */
  readonly input: unknown;
}

/** @throws ApiError 400 where it does not name a response, so that no `response.steer.failed` could say which one it is about */
export function steerEventOf(event: ClientEvent): SteerEvent {
  const target = event['previous_response_id'];
  if (typeof target === 'string' && turnIdPattern.test(target)) return { target, input: event['input'] ?? '' };
  throw new ApiError({
    status: 400,
    param: 'previous_response_id',
    code: target === undefined ? 'missing_required_parameter' : 'invalid_value',
    message: "'previous_response_id' is the id of the response that is to be steered.",
  });
}

const steerFields = z.strictObject({
  type: z.literal('response.steer'),
  previous_response_id: z.string(),
  input: z.union([z.string().min(1, 'must not be empty'), z.array(inputItem).min(1, 'must not be empty')]),
});

/** @throws ApiError 400 naming the field: only what the user says steers a response */
export function steerInputOf(event: ClientEvent): SteerInput {
  const { input } = validate(steerFields, event) as z.output<typeof steerFields>;
  if (typeof input === 'string') return input;
  const other = input.findIndex((item) => !('role' in item) || item.role !== 'user');
  if (other === -1) return event['input'] as readonly unknown[];
  throw new ApiError({
    status: 400,
    param: `input[${other}]`,
    code: 'invalid_value',
    message: `Invalid 'input[${other}]': only messages of the user steer a response.`,
  });
}

/** The items of an `input`. */
export function itemsOf(input: unknown): readonly unknown[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  return Array.isArray(input) ? (input as readonly unknown[]) : [];
}
