/**
 * The port to a model provider: one request, one stream, told in the words of `domain/model.ts`.
 */
import type { Usage } from '../domain/response.ts';
import type { ModelEvent, ModelFailure, ModelRequest } from '../domain/model.ts';

/** The deadlines of one request, all in ms. Comments and empty deltas reset none of them. */
export interface ProviderLimits {
  readonly connectTimeoutMs: number;
  /** From the request to the first delta that starts the step. */
  readonly firstEventTimeoutMs: number;
  /** Between two deltas that show something, once the step has started. */
  readonly idleTimeoutMs: number;
}

/** What is known about a request before its answer is whole; told as soon as it is known. */
export interface ProviderCallNotes {
  /** The provider's own id of the request (`x-request-id`), if it gave one. */
  onRequestId?(id: string): void;
  /** What the request has cost, as far as the provider said it: also of one that fails or is cancelled after that. */
  onUsage?(usage: Usage): void;
}

/**
 * **Contract.** `stream` sends exactly one HTTP request, when it is first iterated, and never another (T4).
 * It yields every delta in order as soon as it arrives, then at most one `proof` (T8), then `usage` if the provider
 * reports it (waited for 2 s at most after the proof), and ends. Without a proof it does not end: it throws
 * `ProviderError`, whose `failure` is already classified, knowing whether the step has started.
 * When `signal` aborts it closes the socket at once and throws the signal's reason: what a cancel is
 * is decided by the caller's own signal, never by an error's name.
 * Leaving the loop early closes the socket. No key and no body is in any error (T11).
 */
export interface Provider {
  stream(request: ModelRequest, signal: AbortSignal, notes?: ProviderCallNotes): AsyncIterable<ModelEvent>;
  /** The provider's model ids, for `GET /v1/models`. Throws `ProviderError`. */
  listModels(signal: AbortSignal): Promise<readonly string[]>;
  /** Closes idle connections. */
  close(): Promise<void>;
}

/** The one error a provider throws. The tag is `failure.code`; compare that, not the class. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly failure: ModelFailure;
  constructor(failure: ModelFailure) {
    super(failure.message);
    this.failure = failure;
  }
}
