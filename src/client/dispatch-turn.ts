/** From the turn's row, which is the promise, to Temporal. May be repeated: see `delivery.ts`. */
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import type { TurnRow } from '../domain/turn.ts';
import type { Store } from '../store/ports/store.ts';
import type { Dispatcher } from './dispatcher.ts';

/** Turns younger than this are surely being handed over by the gateway that accepted them. */
export const dispatchPatienceMs = 3_000;

/**
 * Resolves once Temporal has the turn. Earlier turns of its session that were left behind (their gateway died, Temporal
 * was away) go first: turns of a session run in the order they were accepted.
 * Throws when Temporal cannot be reached.
 */
export async function dispatchTurn(store: Store, delivery: Dispatcher, turn: TurnRow): Promise<void> {
  if (turn.session !== null) {
    for (const earlier of await store.listUndispatchedBefore(turn.id)) {
      if (earlier.createdAtMs < Date.now() - dispatchPatienceMs) await deliver(store, delivery, earlier);
    }
  }
  await deliver(store, delivery, turn);
}

async function deliver(store: Store, delivery: Dispatcher, turn: TurnRow): Promise<void> {
  await delivery.dispatch(turn);
  await retryWhileBusy(() => store.markDispatched(turn.id));
}
