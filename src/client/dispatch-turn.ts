/** Gives a turn to Temporal. The turn's row is the promise, this is its dispatch: it may be repeated (see `dispatcher.ts`). */
import type { TurnRow } from '../domain/turn.ts';
import type { Store } from '../store/ports/store.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import type { Dispatcher } from './dispatcher.ts';

/** A turn younger than this is being dispatched by the gateway that accepted it. */
export const dispatchPatienceMs = 3_000;

/**
 * Resolves once Temporal has the turn. Earlier turns of its session that were left behind (their gateway died, Temporal
 * was away) go first: turns of a session run in the order they were accepted.
 * @throws when Temporal cannot be reached
 */
export async function dispatchTurn(store: Store, dispatcher: Dispatcher, turn: TurnRow): Promise<void> {
  if (turn.session !== null) {
    for (const earlier of await store.listUndispatchedBefore(turn.id)) {
      if (earlier.createdAtMs < Date.now() - dispatchPatienceMs) await dispatch(store, dispatcher, earlier);
    }
  }
  await dispatch(store, dispatcher, turn);
}

async function dispatch(store: Store, dispatcher: Dispatcher, turn: TurnRow): Promise<void> {
  await dispatcher.dispatch(turn);
  await retryWhileBusy(() => store.markDispatched(turn.id));
}
