/**
 * The port to a model provider: one HTTP request, one stream of `ModelEvent`s (`domain/model.ts`).
 *
 * Layers of this room, each importing only what stands left of it:
 *
 *     json.ts, provider.ts  <-  failures/  <-  http/  <-  openai/  <-  create-provider.ts
 *
 * - `failures/` turns what went wrong into a `ModelFailure`: tables without I/O.
 * - `http/` is one request on a socket: connection, body, deadlines, server-sent events. It knows no API.
 * - `openai/` is the two APIs: their requests, and the parsers of their streams.
 */
import type { ProviderApi } from '../domain/provider-capabilities.ts';
import type { ModelEvent, ModelFailure, ModelRequest } from '../domain/model.ts';
import type { Usage } from '../domain/response/response.ts';
import type { ExchangeEnd } from '../domain/turn/recording.ts';

/** Of one request: its deadlines, all in ms. Comments and empty deltas reset none of them. */
export interface ProviderLimits {
  readonly connectTimeoutMs: number;
  /** From the request to the first delta that starts the step. */
  readonly firstEventTimeoutMs: number;
  /** Between two deltas with content, once the step has started. */
  readonly idleTimeoutMs: number;
  /**
   * Of what is kept of an answer and shown to nobody yet; what was shown, its caller counts. An event that holds more is
   * `output_too_large`. `defaultMaxOutputBytes` where nothing is said.
   */
  readonly maxOutputBytes?: number;
}

export const defaultMaxOutputBytes = 16_777_216;

/**
 * Hears what passes over the wire, for who keeps it. Called at once, in the order in which it is read. **Contract:** it throws
 * nothing, and keeps no chunk without a copy. It is told no key, also where the provider echoes it.
 */
export interface WireTap {
  /** A request is sent now. Of one call there may be several, one after the other. */
  requested(request: { readonly method: string; readonly url: string }): void;
  /** The head of its response, with the headers that are read somewhere. */
  headed(status: number, headers: Readonly<Record<string, string>>): void;
  /** A chunk of the body, as it is about to be read. */
  read(chunk: Uint8Array): void;
  ended(end: ExchangeEnd): void;
}

/** Called with facts about a request while it still runs, also when it then fails or is cancelled. */
export interface ProviderCallbacks {
  /** Called before the connection is taken: whatever it throws keeps the request back. */
  beforeSend?(): Promise<void>;
  /** Called once the connection is up, in the tick in which the request is written: false keeps it back. */
  maySend?(): boolean;
  /** How far the request has come: written to its connection (`sent`), or answered with headers, of whatever status. */
  onPhase?(phase: 'sent' | 'headers'): void;
  /** The provider's own id of the request (`x-request-id`), if it sent one. */
  onRequestId?(id: string): void;
  /** The tokens counted so far, each time the provider reports them. */
  onUsage?(usage: Usage): void;
  readonly wire?: WireTap | undefined;
  /** Is sent along as the header of this name (W3C Trace Context). */
  readonly traceparent?: string | undefined;
  /** The clock that a failure is dated by, ms since the epoch; `Date.now` where there is none. */
  now?(): number;
}

export interface BackgroundCallbacks extends ProviderCallbacks {
  /** The provider's id of the response, before its first delta: nothing of it is yielded until this resolves. Must not reject. */
  onResponseId?(id: string): Promise<void>;
  /** The connection broke, and the response is read on behind the provider's event of this number. `reason`: one constant word (T11). */
  onReattached?(reattachment: { readonly after: number; readonly reason: string }): void;
}

/**
 * **Contract.** Responses that the provider keeps, and goes on with while nobody reads them. `start` and `readOn` are as `stream`
 * of `Provider`, but where the connection breaks they read on behind the last event, a few times and within the same deadlines,
 * by requests that ask the model nothing. Where that cannot be, they throw what broke the connection. `readOn` yields the whole
 * answer from its beginning; where it cannot be had any more, it throws `transport_failed`. Closing the socket stops nothing: `cancel` does, and rejects where that is not known to have worked.
 */
export interface BackgroundResponses {
  start(request: ModelRequest, signal: AbortSignal, callbacks: BackgroundCallbacks): AsyncIterable<ModelEvent>;
  /** @param request that was answered, as far as the answer is read by it */
  readOn(
    id: string,
    request: Pick<ModelRequest, 'clientFunctions' | 'ids'>,
    signal: AbortSignal,
    callbacks: BackgroundCallbacks,
  ): AsyncIterable<ModelEvent>;
  /** Within 5 s. One that has ended stays as it is. */
  cancel(id: string): Promise<void>;
}

/**
 * **Contract.** `stream` sends exactly one HTTP request, when it is first iterated, and never another (T4); but to compact, where
 * the first one finds that the server has no endpoint for it, a second one asks the model.
 * It yields every delta in order as soon as it arrives, then `finish` (T8), then `service_tier` and `usage` if the provider
 * reports them (waited for 2 s at most after the finish), and ends. A `finish` that more content follows was none: some servers
 * state one with every chunk, and the last one counts. Without a finish it does not end: it throws
 * `ProviderError`, whose `failure` is classified with regard to whether the step has started.
 * When `signal` aborts it closes the socket at once and throws the signal's reason: whether that was a cancel
 * only the caller knows, and it must not be guessed from the name of an error.
 * Breaking out of the loop closes the socket. No key and no body is in any error (T11).
 */
export interface Provider {
  readonly api: ProviderApi;
  /** Present where the configuration asks for it (`reattach`). */
  readonly background?: BackgroundResponses;
  stream(request: ModelRequest, signal: AbortSignal, callbacks?: ProviderCallbacks): AsyncIterable<ModelEvent>;
  /**
   * How many tokens the request would bring the model, without asking it anything; undefined where the provider does not
   * count. Throws `ProviderError`, or the signal's reason.
   */
  countTokens(request: ModelRequest, signal: AbortSignal): Promise<number | undefined>;
  /** The provider's model ids, for `GET /v1/models`. Throws `ProviderError`. */
  listModels(signal: AbortSignal): Promise<readonly string[]>;
  /** Closes idle connections. */
  close(): Promise<void>;
}

/** The one error a provider throws. The tag is `failure.code`; compare that, not the class. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly failure: ModelFailure;
  /** The HTTP status of an answer that was to be one JSON document; undefined where there was none that says so. */
  readonly status: number | undefined;
  constructor(failure: ModelFailure, status?: number) {
    super(failure.message);
    this.failure = failure;
    this.status = status;
  }
}
