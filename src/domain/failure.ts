/**
 * Every way a turn can fail, as data: one rule for each code (README, "How a turn ends").
 *
 * The code is the `error.code` users see, the `ApplicationFailure.type` Temporal sees and the
 * `code` of an attempt. Of the failures that a request can end in only `transport_failed` may be retried by Temporal (T3,
 * T4); a busy provider is asked again behind a durable timer of the workflow, never by the retry policy.
 */
export interface FailureRule {
  /** May Temporal's retry policy run the activity again? Law T3: only while the step has not started. */
  readonly retryable: boolean;
  /** What users read when the provider said nothing better. Never carries bodies or keys (T11). */
  readonly message: string;
}

const rules = {
  transport_failed: {
    retryable: true,
    message: 'The request to the model could not be started in three attempts.',
  },
  stream_interrupted: {
    retryable: false,
    message: 'The connection to the model broke after the answer had started; what had arrived is kept.',
  },
  stream_truncated: {
    retryable: false,
    message: 'The model server ended the stream without proof that the answer was complete; what had arrived is kept.',
  },
  worker_lost: {
    retryable: false,
    message: 'The worker that streamed the answer was lost after it had started; what had arrived is kept.',
  },
  provider_rejected: { retryable: false, message: 'The model provider rejected the request.' },
  provider_busy: { retryable: false, message: 'The model provider is busy.' },
  model_timeout: { retryable: false, message: 'The model stayed silent past the configured limit.' },
  empty_response: { retryable: false, message: 'The model ended its answer without any content.' },
  provider_protocol: { retryable: false, message: 'The model server does not speak the expected API.' },
  output_too_large: { retryable: false, message: 'The answer grew past the configured size; what had arrived is kept.' },
  context_length_exceeded: {
    retryable: false,
    message: 'The conversation is longer than the context window of the model.',
  },
  turn_timeout: { retryable: false, message: 'The turn took longer than its limit.' },
  tool_failed: { retryable: false, message: 'A tool of the turn broke in a way that the model cannot be told.' },
  budget_exceeded: { retryable: false, message: 'The turn used up its budget.' },
  internal_error: { retryable: false, message: 'turnkeep itself failed; the log of the worker has the details.' },
} as const satisfies Record<string, FailureRule>;

export type FailureCode = keyof typeof rules;

/**
 * By code: may it be retried, and what users read.
 *
 * @example
 *     import { type FailureCode, failureRules } from 'turnkeep';
 *
 *     const code: FailureCode = 'worker_lost';
 *     console.log(failureRules[code].message);
 */
export const failureRules: Readonly<Record<FailureCode, FailureRule>> = rules;

export function isFailureCode(code: unknown): code is FailureCode {
  return typeof code === 'string' && Object.hasOwn(rules, code);
}

/** A failure as it may be stored and shown anywhere: no bodies, no keys, no prompts (T11). */
export interface Failure {
  readonly code: FailureCode;
  readonly message: string;
  /** When the provider said it would take the request again, in ms since the epoch. */
  readonly retryAtMs?: number;
}

/** An error behind a failure, without keys and without anything that was sent or received (T11): for the database, and never for Temporal. */
export interface FailureCause {
  /** Of the error's class. */
  readonly name: string;
  /** Such as `ECONNRESET`. */
  readonly code?: string;
  /** Empty where the error's own words may quote what was received. */
  readonly message: string;
}

export function failureOf(code: FailureCode, message?: string): Failure {
  return { code, message: message ?? failureRules[code].message };
}
