/**
 * OpenAI's response object, as far as turnkeep writes it.
 * Source: OpenAI Responses API and the Open Responses schema (whose required keys are all present).
 */
import type { OutputItem } from '../item.ts';
import type { ResponseSettings, TextFormat } from './response-settings.ts';

export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'cancelled' | 'failed';

/** The statuses after the seal (T6). */
export type SettledStatus = Exclude<ResponseStatus, 'queued' | 'in_progress'>;

export function isSettled(status: ResponseStatus): status is SettledStatus {
  return status !== 'queued' && status !== 'in_progress';
}

/** Tokens, as the provider counted them. */
export interface Usage {
  readonly input_tokens: number;
  readonly input_tokens_details: { readonly cached_tokens: number };
  readonly output_tokens: number;
  readonly output_tokens_details: { readonly reasoning_tokens: number };
  readonly total_tokens: number;
}

export function sumOf(one: Usage, other: Usage): Usage {
  return {
    input_tokens: one.input_tokens + other.input_tokens,
    input_tokens_details: { cached_tokens: one.input_tokens_details.cached_tokens + other.input_tokens_details.cached_tokens },
    output_tokens: one.output_tokens + other.output_tokens,
    output_tokens_details: {
      reasoning_tokens: one.output_tokens_details.reasoning_tokens + other.output_tokens_details.reasoning_tokens,
    },
    total_tokens: one.total_tokens + other.total_tokens,
  };
}

/** null: nothing is known of either. */
export function sumOfKnown(one: Usage | null, other: Usage | null): Usage | null {
  return one === null || other === null ? (one ?? other) : sumOf(one, other);
}

/** OpenAI's clients need numbers where the provider reported none. `GET /turns/{id}` says null there. */
export const unknownUsage: Usage = {
  input_tokens: 0,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 0,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 0,
};

export interface ResponseObject {
  readonly id: string;
  readonly object: 'response';
  /** Seconds since the epoch, as OpenAI has it. */
  readonly created_at: number;
  readonly completed_at: number | null;
  readonly status: ResponseStatus;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly incomplete_details: { readonly reason: string } | null;
  readonly model: string;
  readonly output: readonly OutputItem[];
  readonly usage: Usage | null;
  readonly [key: string]: unknown;
}

export interface NewResponse {
  readonly id: string;
  readonly createdAtMs: number;
  readonly settings: ResponseSettings;
  readonly session: string | null;
  readonly previous: string | null;
}

/** The response object as it stands in `response.created`: queued, nothing said yet. */
export function newResponse({ id, createdAtMs, settings, session, previous }: NewResponse): ResponseObject {
  return {
    id,
    object: 'response',
    created_at: Math.floor(createdAtMs / 1_000),
    completed_at: null,
    status: 'queued',
    background: settings.background,
    error: null,
    incomplete_details: null,
    instructions: settings.instructions,
    max_output_tokens: settings.max_output_tokens,
    max_tool_calls: settings.max_tool_calls,
    model: settings.model,
    output: [],
    parallel_tool_calls: settings.parallel_tool_calls ?? true,
    previous_response_id: previous,
    conversation: session === null ? null : { id: session },
    prompt_cache_key: settings.prompt_cache_key,
    reasoning: settings.reasoning,
    safety_identifier: settings.safety_identifier,
    service_tier: settings.service_tier ?? 'default',
    store: settings.store,
    temperature: settings.temperature ?? 1,
    text: { format: explicitFormat(settings.text.format), verbosity: settings.text.verbosity ?? 'medium' },
    tool_choice: settings.tool_choice ?? 'auto',
    tools: settings.tools,
    top_logprobs: 0,
    top_p: settings.top_p ?? 1,
    presence_penalty: settings.presence_penalty ?? 0,
    frequency_penalty: settings.frequency_penalty ?? 0,
    truncation: settings.truncation ?? 'disabled',
    usage: null,
    user: settings.user,
    metadata: settings.metadata,
  };
}

/** `strict` is required by the schema. */
function explicitFormat(format: TextFormat): TextFormat {
  return format.type === 'json_schema' ? { ...format, strict: format.strict ?? false } : format;
}
