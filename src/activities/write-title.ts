/**
 * Asks the model for a session's title: once, and that is booked before it is asked, so that no kill of a worker has it asked
 * again (T2). Only a request that the provider refused before it answered is made again.
 */
import { ApplicationFailure } from '@temporalio/common';
import { cancellationSignal } from '@temporalio/activity';
import { failureRules } from '../domain/failure.ts';
import { titleOf, titleRequest } from '../domain/turn/title.ts';
import type { OwnTurn } from '../contract/activities.ts';
import type { TitleInput } from '../contract/workflows.ts';
import { askedModelOf } from '../domain/response/response-settings.ts';
import { type Agents, providerFor } from './attempt/agents.ts';
import { type Provider, ProviderError } from '../providers/provider.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import type { Store } from '../store/ports/store.ts';

export interface WriteTitleDeps {
  readonly store: Store;
  readonly provider: Provider;
  readonly agents?: Agents;
  /** Instead of the turn's own model. */
  readonly titleModel?: string;
}

export async function writeTitle(
  { store, provider, agents, titleModel }: WriteTitleDeps,
  { session, turn }: OwnTurn<TitleInput>,
): Promise<{ hasTitle: boolean }> {
  const row = await store.readTurn(turn);
  const request = row === undefined ? undefined : titleRequest(await store.readInput(turn), titleModel ?? askedModelOf(row.settings));
  if (row === undefined || request === undefined || !(await retryWhileBusy(() => store.bookTitleRequest(session), cancellationSignal())))
    return { hasTitle: false };
  let text = '';
  let hasStarted = false;
  try {
    const asked = titleModel === undefined ? providerFor(agents, provider, row.settings) : provider;
    for await (const event of asked.stream({ ...request, tenant: row.tenant }, cancellationSignal())) {
      if (event.type !== 'delta') continue;
      hasStarted = true;
      if (event.delta.type === 'text') text += event.delta.text;
    }
    const title = titleOf(text);
    if (title !== undefined) await retryWhileBusy(() => store.setTitle(session, title));
    return { hasTitle: title !== undefined };
  } catch (error) {
    // Only constant words: the failure is stored in Temporal's history (T11).
    const code = error instanceof ProviderError ? error.failure.code : 'internal_error';
    const mayRetry = !hasStarted && (failureRules[code].retryable || code === 'provider_busy');
    if (mayRetry) await retryWhileBusy(() => store.releaseTitleRequest(session));
    throw ApplicationFailure.create({ message: failureRules[code].message, type: code, nonRetryable: !mayRetry });
  }
}
