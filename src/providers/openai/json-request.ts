/** One request whose answer is a JSON document, with the connection and failure tables of a stream. */
import type { ModelFailure } from '../../domain/model.ts';
import { type Connection, HttpStatusError } from '../http/connection.ts';
import { HttpExchange } from '../http/exchange.ts';
import { ExchangeTap } from '../http/exchange-tap.ts';
import { findCause } from '../failures/transport-failure.ts';
import { type ProviderCallbacks, ProviderError, type ProviderLimits } from '../provider.ts';
import { type Endpoint, requestTo } from './endpoint.ts';
import { toModelFailure } from './stream-response.ts';

export interface JsonRequest {
  readonly endpoint: Endpoint;
  readonly connection: Connection;
  readonly limits: ProviderLimits;
  readonly signal: AbortSignal;
  /** Below the base URL. */
  readonly path: string;
  /** Posted. */
  readonly body: object;
  /** Of the answer, in UTF-16 units. */
  readonly maxChars: number;
  readonly callbacks: ProviderCallbacks;
}

/** The server has no such endpoint, whatever else it says. */
const statusesOfNone: ReadonlySet<number> = new Set([405, 501]);

/** A 404 may be about the model; a 400 may be about the endpoint. */
function saysNoEndpoint(status: number | undefined, { detail = '', providerMessage = '' }: ModelFailure): boolean {
  if (status === 404) return !/model|deployment/i.test(detail) && !/\b(?:model|deployment)\b/i.test(providerMessage);
  const says = /\b(?:endpoint|route|operation|input_tokens)\b/i.test(providerMessage);
  return status === 400 && says && /\bunsupported\b|\bnot (?:supported|implemented|available)\b/i.test(providerMessage);
}

/**
 * Throws `ProviderError`, or the reason of the signal. The whole answer must come within `firstEventTimeoutMs`.
 * @param read of the body, or of as much as came of it; may throw a `ProviderError` itself
 * @returns undefined where the server has no such endpoint
 */
export async function requestJson<T>(options: JsonRequest, read: (text: string) => T): Promise<T | undefined> {
  const { endpoint, connection, limits, signal, callbacks } = options;
  const request = await requestTo(endpoint, options.path, options.body);
  await callbacks.beforeSend?.();
  using exchange = new HttpExchange(limits, signal, connection.deadlines);
  const tap = new ExchangeTap({ wire: callbacks.wire, exchange, signal, apiKey: endpoint.apiKey });
  try {
    const { headers, body } = await tap.send(connection, {
      ...request,
      signal: exchange.signal,
      maySend: callbacks.maySend?.bind(callbacks),
    });
    const id = headers.get('x-request-id');
    if (id !== null && id !== '') callbacks.onRequestId?.(id.slice(0, 200));
    return read(await exchange.readText(body, options.maxChars, limits.firstEventTimeoutMs));
  } catch (error) {
    const statusError = findCause(error, (cause) => cause instanceof HttpStatusError);
    const status = statusError?.status;
    const isMissing = statusError !== undefined && statusesOfNone.has(statusError.status);
    const failed = { url: request.url, exchange, callbacks, apiKey: endpoint.apiKey, hasStarted: false };
    const failure = signal.aborted || isMissing ? undefined : await toModelFailure(error, failed);
    signal.throwIfAborted();
    if (isMissing) {
      exchange.attachBody(statusError.body);
      exchange.releaseBody();
      return undefined;
    }
    if (failure === undefined) throw error;
    if (saysNoEndpoint(status, failure)) return undefined;
    throw new ProviderError(failure, status);
  } finally {
    tap.leave();
  }
}
