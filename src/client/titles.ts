/** Starts the workflows that give sessions their titles: one for each, so that no turn waits for it or fails with it. */
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import type { Store } from '../store/ports/store.ts';
import type { Dispatcher } from './dispatcher.ts';

const batch = 50;

/** Starts all that are due. Throws when Temporal cannot be reached; they stay due then. */
export async function startTitles(store: Store, dispatcher: Dispatcher): Promise<void> {
  for (const due of await store.listUntitled(batch)) {
    await dispatcher.startTitle(due);
    await retryWhileBusy(() => store.markTitleStarted(due.session));
  }
}
