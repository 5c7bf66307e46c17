/** What the gateway asks a provider itself, for the HTTP application, which knows no provider: answers, and failures as data. */
import { failureOf } from '../domain/failure.ts';
import type { ModelRequest } from '../domain/model.ts';
import type { ModelList } from '../gateway/operator/models.ts';
import type { TokenCount } from '../gateway/responses/input-tokens.ts';
import { type Provider, ProviderError } from '../providers/provider.ts';

/** The provider's models. @param withinMs for the whole list */
export async function listModels(provider: Provider, withinMs: number): Promise<ModelList> {
  const timeout = AbortSignal.timeout(withinMs);
  try {
    return { type: 'listed', ids: await provider.listModels(timeout) };
  } catch (error) {
    if (error instanceof ProviderError) return { type: 'failed', failure: error.failure };
    if (timeout.aborted) return { type: 'failed', failure: failureOf('model_timeout') };
    throw error;
  }
}

/** Statuses of a request that is itself at fault: the model would be asked in vain, too. */
const refusals: ReadonlySet<number> = new Set([400, 404, 413, 422]);

/**
 * The provider's count of a request's tokens. Where it gives none just now, for whatever reason but the request itself, it
 * is unknown: a count is not worth an error, where there is an estimate. @param withinMs for the whole answer
 */
export async function countTokens(provider: Provider, request: ModelRequest, withinMs: number): Promise<TokenCount> {
  const timeout = AbortSignal.timeout(withinMs);
  try {
    const tokens = await provider.countTokens(request, timeout);
    return tokens === undefined ? { type: 'unknown' } : { type: 'counted', tokens };
  } catch (error) {
    if (error instanceof ProviderError) return refusalOf(error) ?? { type: 'unknown' };
    if (timeout.aborted) return { type: 'unknown' };
    throw error;
  }
}

function refusalOf({ status, failure }: ProviderError): TokenCount | undefined {
  const { code, message, providerMessage } = failure;
  const isOfRequest = code === 'context_length_exceeded' || code === 'provider_rejected';
  if (status === undefined || !refusals.has(status) || !isOfRequest) return undefined;
  return { type: 'refused', isOfModel: status === 404, code, message: providerMessage ?? message };
}
