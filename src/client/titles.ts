/** Begins what gives sessions their titles: a workflow of its own for each, so that no turn waits for it or fails with it. */
import { persist } from '../store/persist.ts';
import type { Store } from '../store/store.ts';
import type { Delivery } from './delivery.ts';

const batch = 50;

/** All that are due, whoever left them. Throws when Temporal cannot be reached; they stay due then. */
export async function startTitles(store: Store, delivery: Delivery): Promise<void> {
  for (const due of await store.listUntitled(batch)) {
    await delivery.startTitle(due);
    await persist(() => store.markTitleStarted(due.session));
  }
}
