/**
 * OpenAI's response object and its output items, as far as turnkeep writes them.
 * Source: OpenAI Responses API and the Open Responses schema (whose required keys are all present).
 */

/** Any JSON value. */
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'cancelled' | 'failed';

/** The statuses after the seal (T6). */
export type SettledStatus = Exclude<ResponseStatus, 'queued' | 'in_progress'>;

export function isSettled(status: ResponseStatus): status is SettledStatus {
  return status !== 'queued' && status !== 'in_progress';
}

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

export type MessagePart =
  | { readonly type: 'output_text'; readonly text: string; readonly annotations: readonly Json[]; readonly logprobs: readonly Json[] }
  | { readonly type: 'refusal'; readonly refusal: string };

export type OutputItem =
  | {
      readonly id: string;
      readonly type: 'message';
      readonly status: ItemStatus;
      readonly role: 'assistant';
      readonly content: readonly MessagePart[];
    }
  | {
      readonly id: string;
      readonly type: 'reasoning';
      readonly status: ItemStatus;
      readonly summary: readonly { readonly type: 'summary_text'; readonly text: string }[];
    }
  | {
      readonly id: string;
      readonly type: 'function_call';
      readonly status: ItemStatus;
      readonly call_id: string;
      readonly name: string;
      readonly arguments: string;
    };

/** What the user puts in: one message as text. Widened with the item types the door accepts. */
export interface InputItem {
  readonly id: string;
  readonly type: 'message';
  readonly status: 'completed';
  readonly role: 'user' | 'system' | 'developer' | 'assistant';
  readonly content: readonly { readonly type: 'input_text' | 'output_text'; readonly text: string }[];
}

export type Item = InputItem | OutputItem;

/** Tokens, as the provider counted them. */
export interface Usage {
  readonly input_tokens: number;
  readonly input_tokens_details: { readonly cached_tokens: number };
  readonly output_tokens: number;
  readonly output_tokens_details: { readonly reasoning_tokens: number };
  readonly total_tokens: number;
}

/** OpenAI's clients need numbers where the provider reported none. `GET /turns/{id}` says null there. */
export const unknownUsage: Usage = {
  input_tokens: 0,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 0,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 0,
};

/** The part of a request that decides how the model answers; stored with the turn, echoed in the response. */
export interface ResponseSettings {
  readonly model: string;
  readonly instructions: string | null;
  readonly temperature: number | null;
  readonly top_p: number | null;
  readonly presence_penalty: number | null;
  readonly frequency_penalty: number | null;
  readonly top_logprobs: number | null;
  readonly max_output_tokens: number | null;
  readonly metadata: { readonly [key: string]: string };
  readonly store: boolean;
  readonly background: boolean;
  readonly user: string | null;
}

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
    max_tool_calls: null,
    model: settings.model,
    output: [],
    parallel_tool_calls: true,
    previous_response_id: previous,
    conversation: session === null ? null : { id: session },
    prompt_cache_key: null,
    reasoning: { effort: null, summary: null },
    safety_identifier: null,
    service_tier: 'default',
    store: settings.store,
    temperature: settings.temperature ?? 1,
    text: { format: { type: 'text' }, verbosity: 'medium' },
    tool_choice: 'auto',
    tools: [],
    top_logprobs: settings.top_logprobs ?? 0,
    top_p: settings.top_p ?? 1,
    presence_penalty: settings.presence_penalty ?? 0,
    frequency_penalty: settings.frequency_penalty ?? 0,
    truncation: 'disabled',
    usage: null,
    user: settings.user,
    metadata: settings.metadata,
  };
}
