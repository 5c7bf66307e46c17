/** The provider's models for the gateway, which knows no provider: a list, or the failure as data. */
import { failureOf } from '../domain/failure.ts';
import type { ModelList } from '../gateway/operator/models.ts';
import { type Provider, ProviderError } from '../providers/provider.ts';

/** @param withinMs for the whole list */
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
