/** Starts the workflows that give sessions their titles: one for each, so that no turn waits for it or fails with it. */
import type { TitleInput } from '../contract/workflows.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import type { Store } from '../store/ports/store.ts';
import type { Dispatcher } from './dispatcher.ts';

const batch = 50;

/** Throws when Temporal cannot be reached; the title stays due then, for the sweep of any process. */
export async function startTitle(
  store: Store,
  dispatcher: Pick<Dispatcher, 'startTitle'>,
  due: Omit<TitleInput, 'database'>,
): Promise<void> {
  await dispatcher.startTitle(due);
  await retryWhileBusy(() => store.markTitleStarted(due.session));
}

/** Starts those that are due: whoever was to start them is gone, or Temporal was away. */
export async function startTitles(store: Store, dispatcher: Pick<Dispatcher, 'startTitle'>): Promise<void> {
  for (const due of await store.listUntitled(batch)) await startTitle(store, dispatcher, due);
}
