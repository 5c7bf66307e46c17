/** From the turn's row, which is the promise, to Temporal. May be repeated: see `delivery.ts`. */
import { persist } from '../store/persist.ts';
import type { Store, TurnRow } from '../store/store.ts';
import type { Delivery } from './delivery.ts';

/** Turns younger than this are surely being handed over by the gateway that accepted them. */
export const handOverPatienceMs = 3_000;

/**
 * Resolves once Temporal has the turn. Earlier turns of its session that were left behind (their gateway died, Temporal
 * was away) go first: turns of a session run in the order they were accepted.
 * Throws when Temporal cannot be reached.
 */
export async function handOver(store: Store, delivery: Delivery, turn: TurnRow): Promise<void> {
  if (turn.session !== null) {
    for (const earlier of await store.listUnsubmittedBefore(turn.id)) {
      if (earlier.createdAtMs < Date.now() - handOverPatienceMs) await deliver(store, delivery, earlier);
    }
  }
  await deliver(store, delivery, turn);
}

async function deliver(store: Store, delivery: Delivery, turn: TurnRow): Promise<void> {
  await delivery.deliver(turn);
  await persist(() => store.markSubmitted(turn.id));
}
