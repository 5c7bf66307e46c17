/** Lists the provider's models, with the connection and failure tables of a stream. */
import { protocolError } from '../failures/model-failure.ts';
import type { Connection } from '../http/connection.ts';
import { HttpExchange } from '../http/exchange.ts';
import { asArray, asRecord, asText, parseJson } from '../json.ts';
import { ProviderError, type ProviderLimits } from '../provider.ts';
import { type Endpoint, requestTo } from './endpoint.ts';
import { toModelFailure } from './stream-response.ts';

const longestList = 8 * 1_024 * 1_024;

export interface ListModelsOptions {
  readonly endpoint: Endpoint;
  readonly connection: Connection;
  readonly limits: ProviderLimits;
  readonly signal: AbortSignal;
}

/** Throws `ProviderError`, or the reason of the signal. The whole list must come within `firstEventTimeoutMs`. */
export async function listModels({ endpoint, connection, limits, signal }: ListModelsOptions): Promise<readonly string[]> {
  const request = await requestTo(endpoint, '/models');
  using exchange = new HttpExchange(limits, signal);
  try {
    const { body } = await connection.send({ ...request, signal: exchange.signal });
    const text = await exchange.readText(body, longestList, limits.firstEventTimeoutMs);
    const list = asRecord(parseJson(text));
    if (list === undefined || !Array.isArray(list['data'])) throw protocolError('no_model_list');
    return asArray(list['data']).flatMap((model) => asText(asRecord(model)?.['id']) ?? []);
  } catch (error) {
    const failure = signal.aborted
      ? undefined
      : await toModelFailure(error, { url: request.url, exchange, callbacks: {}, apiKey: endpoint.apiKey, hasStarted: false });
    signal.throwIfAborted();
    if (failure === undefined) throw error;
    throw new ProviderError(failure);
  }
}
