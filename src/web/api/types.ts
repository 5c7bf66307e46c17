/** What the gateway answers, as far as the page reads it: the schemas are in `/openapi.json`. */

export interface Page<T> {
  readonly data: readonly T[];
  readonly last_id: string | null;
  readonly has_more: boolean;
}

export interface Session {
  readonly id: string;
  readonly created_at: number;
  readonly last_used_at?: number;
  readonly metadata: { readonly [key: string]: string };
  readonly preview?: string | null;
}

export type TurnStatus = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'cancelled' | 'failed';

export const turnStatuses: readonly TurnStatus[] = ['queued', 'in_progress', 'completed', 'incomplete', 'cancelled', 'failed'];

export interface Usage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_tokens: number;
  readonly cost_usd?: number;
}

export interface TurnError {
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
}

/** A row of `GET /turns`. */
export interface ListedTurn {
  readonly id: string;
  readonly session: string | null;
  readonly status: TurnStatus;
  readonly model: string | null;
  readonly error: TurnError | null;
  readonly created_at: string;
  readonly settled_at: string | null;
  readonly requests: number;
  readonly usage: Usage | null;
}

/** An item of a conversation, in OpenAI's form. */
export interface Item {
  readonly id: string;
  readonly type: string;
  readonly role?: string;
  readonly status?: string;
  readonly content?: readonly ContentPart[] | string | null;
  readonly summary?: readonly ContentPart[];
  readonly name?: string;
  readonly server_label?: string;
  readonly arguments?: string;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly call_id?: string;
  readonly approval_request_id?: string | null;
  readonly approve?: boolean;
  readonly reason?: string | null;
  /** With `turns=true`: the turn it is of; null: put in by hand. */
  readonly turn?: string | null;
}

export interface ContentPart {
  readonly type: string;
  readonly text?: string;
  readonly refusal?: string;
  readonly filename?: string;
}

export interface Cause {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
}

export interface Attempt {
  readonly attempt: number;
  readonly requested_at: string;
  readonly first_event_at?: string;
  readonly ended_at: string | null;
  readonly outcome: string;
  readonly code?: string;
  readonly detail?: string;
  readonly causes?: readonly Cause[];
  readonly wait_ms?: number;
  readonly provider_request_id?: string;
  readonly worker?: string;
  readonly retry?: {
    readonly asked_again: boolean;
    readonly reason: string;
    readonly asked_by?: 'turnkeep' | 'provider';
    readonly wait_ms?: number;
    readonly requests_left: number;
  };
  /** Of one that broke off: what those had seen who were there. */
  readonly viewers?: readonly { readonly viewer: number; readonly last_event: number | null }[];
  readonly [more: string]: unknown;
}

export interface ToolRun {
  readonly attempt: number;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly outcome: string;
  readonly worker?: string;
}

export interface ToolCall {
  readonly name: string;
  readonly server_label: string;
  readonly call_id: string;
  readonly runs: number;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly outcome: string;
  readonly attempts: readonly ToolRun[];
  /** The path of all that it came to. */
  readonly result?: string;
  readonly progress?: string;
  readonly turn?: string;
}

export type Step =
  | { readonly kind: 'model' | 'compaction'; readonly started: boolean; readonly attempts: readonly Attempt[] }
  | { readonly kind: 'tools'; readonly started: boolean; readonly calls: readonly ToolCall[] };

/** `GET /turns/{id}`. */
export interface TurnReport {
  readonly id: string;
  readonly session: string | null;
  readonly parent?: { readonly id: string; readonly call_id: string };
  readonly status: TurnStatus;
  readonly model: string;
  readonly error: TurnError | null;
  readonly workflow_id: string | null;
  readonly run_id: string | null;
  readonly owner?: string;
  readonly created_at: string;
  readonly settled_at: string | null;
  readonly steps: readonly Step[];
  readonly usage: Usage | null;
  readonly lost_usage: Usage | null;
  readonly retry_at?: string;
  readonly output: readonly Item[] | null;
  readonly links: { readonly response: string; readonly temporal?: string };
}

interface Amount {
  readonly requests: number;
  readonly input_tokens: number;
  readonly cached_tokens: number;
  readonly output_tokens: number;
  readonly cost_usd: number;
}

interface Spent {
  readonly turns: number;
  readonly spent: Amount;
  readonly lost: Amount;
}

/** `GET /stats`. */
export interface TurnStats {
  readonly since: string | null;
  readonly until: string | null;
  readonly complete: boolean;
  readonly turns: number;
  readonly ends: readonly { readonly status: TurnStatus; readonly code: string | null; readonly turns: number }[];
  readonly first_token_ms: {
    readonly turns: number;
    readonly p50: number | null;
    readonly p90: number | null;
    readonly p99: number | null;
  };
  readonly retries: { readonly requests: number; readonly turns_saved: number };
  readonly spent: Amount;
  readonly lost: Amount & { readonly uncounted_requests: number };
  readonly models: readonly (Spent & { readonly model: string | null })[];
  readonly other_models?: Spent & { readonly names: number };
}

export function isSettled({ status }: { readonly status: TurnStatus }): boolean {
  return status !== 'queued' && status !== 'in_progress';
}
