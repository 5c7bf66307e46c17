/** Asks the model for a session's title. One request an attempt; only one that could not be started is tried again. */
import { ApplicationFailure } from '@temporalio/common';
import { cancellationSignal } from '@temporalio/activity';
import { failureRules } from '../domain/failure.ts';
import { titleOf, titleRequest } from '../domain/title.ts';
import type { TitleInput } from '../contract/workflows.ts';
import { type Provider, ProviderError } from '../providers/provider.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import type { Store } from '../store/ports/store.ts';

export interface WriteTitleDeps {
  readonly store: Store;
  readonly provider: Provider;
  /** Instead of the turn's own model. */
  readonly titleModel?: string;
}

export async function writeTitle(
  { store, provider, titleModel }: WriteTitleDeps,
  { session, turn }: TitleInput,
): Promise<{ hasTitle: boolean }> {
  const row = await store.readTurn(turn);
  const request = row === undefined ? undefined : titleRequest(row.input, titleModel ?? row.settings.model);
  if (request === undefined) return { hasTitle: false };
  let text = '';
  let hasStarted = false;
  try {
    for await (const event of provider.stream(request, cancellationSignal())) {
      if (event.type !== 'delta') continue;
      hasStarted = true;
      if (event.delta.type === 'text') text += event.delta.text;
    }
    const title = titleOf(text);
    if (title !== undefined) await retryWhileBusy(() => store.setTitle(session, title));
    return { hasTitle: title !== undefined };
  } catch (error) {
    // The worker shuts down before anything was paid for: another worker may ask.
    if (cancellationSignal().aborted && !hasStarted) throw error;
    // Only constant words: the failure is stored in Temporal's history (T11).
    const code = error instanceof ProviderError ? error.failure.code : 'internal_error';
    const mayRetry = !hasStarted && (failureRules[code].retryable || code === 'provider_busy');
    throw ApplicationFailure.create({ message: failureRules[code].message, type: code, nonRetryable: !mayRetry });
  }
}
