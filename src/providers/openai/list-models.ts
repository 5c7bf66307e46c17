/** The provider's model ids, by the same client, connection and failure table as an answer. */
import type OpenAI from 'openai';
import { Call } from '../http/exchange.ts';
import type { Connection } from '../http/connection.ts';
import { asArray, asRecord, asWord, parsedOrUndefined } from '../json.ts';
import { ProviderError, type ProviderLimits } from '../provider.ts';
import { notThisApi } from '../http/sse.ts';
import { failureOf } from './stream-response.ts';

const longestList = 8 * 1_024 * 1_024;

export interface ListModels {
  readonly client: OpenAI;
  readonly connection: Connection;
  readonly apiKey: string;
  readonly limits: ProviderLimits;
  readonly signal: AbortSignal;
}

/** Throws `ProviderError`, or the reason of the signal. The whole list must come within `firstEventTimeoutMs`. */
export async function listModels({ client, connection, apiKey, limits, signal }: ListModels): Promise<readonly string[]> {
  using call = new Call(limits, signal);
  try {
    const response = await client.models.list({ signal: call.signal }).asResponse();
    const text = await call.bodyText(connection.bodyOf(response), longestList, limits.firstEventTimeoutMs);
    const list = asRecord(parsedOrUndefined(text));
    if (list === undefined || !Array.isArray(list['data'])) throw notThisApi('no_model_list');
    return asArray(list['data']).flatMap((model) => asWord(asRecord(model)?.['id']) ?? []);
  } catch (error) {
    const failure = signal.aborted ? undefined : await failureOf(error, { notes: {}, apiKey }, call);
    signal.throwIfAborted();
    if (failure === undefined) throw error;
    throw new ProviderError(failure);
  }
}
