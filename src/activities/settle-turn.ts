/** The activity `settleTurn`: gives a turn the end that `streamModel` could not write, or adopts the end that it has (T6). */
import type { SettleTurnInput } from '../contract/activities.ts';
import type { TurnStatus } from '../domain/turn-state.ts';
import { settleTurn as settle } from '../settle/settle-turn.ts';
import type { Store } from '../store/ports/store.ts';

export async function settleTurn({ store }: { readonly store: Store }, { turn, requested }: SettleTurnInput): Promise<TurnStatus> {
  if ((await store.readTurn(turn)) === undefined) {
    // A turn with `store: false` that was settled and purged since: it has had its end, and another try would find no row either.
    return { status: requested.status, code: requested.status === 'failed' ? requested.failure.code : null };
  }
  return settle(store, turn, requested, Date.now());
}
