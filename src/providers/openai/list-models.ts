/** Lists the provider's models, with the client, connection and failure tables of a stream. */
import type OpenAI from 'openai';
import { protocolError } from '../failures/model-failure.ts';
import type { Connection } from '../http/connection.ts';
import { HttpExchange } from '../http/exchange.ts';
import { asArray, asRecord, asText, parseJson } from '../json.ts';
import { ProviderError, type ProviderLimits } from '../provider.ts';
import { toModelFailure } from './stream-response.ts';

const longestList = 8 * 1_024 * 1_024;

export interface ListModelsOptions {
  readonly client: OpenAI;
  readonly connection: Connection;
  readonly apiKey: string;
  readonly limits: ProviderLimits;
  readonly signal: AbortSignal;
}

/** Throws `ProviderError`, or the reason of the signal. The whole list must come within `firstEventTimeoutMs`. */
export async function listModels({ client, connection, apiKey, limits, signal }: ListModelsOptions): Promise<readonly string[]> {
  using exchange = new HttpExchange(limits, signal);
  try {
    const response = await client.models.list({ signal: exchange.signal }).asResponse();
    const text = await exchange.readText(connection.bodyOf(response), longestList, limits.firstEventTimeoutMs);
    const list = asRecord(parseJson(text));
    if (list === undefined || !Array.isArray(list['data'])) throw protocolError('no_model_list');
    return asArray(list['data']).flatMap((model) => asText(asRecord(model)?.['id']) ?? []);
  } catch (error) {
    const failure = signal.aborted ? undefined : await toModelFailure(error, { exchange, callbacks: {}, apiKey, hasStarted: false });
    signal.throwIfAborted();
    if (failure === undefined) throw error;
    throw new ProviderError(failure);
  }
}
