/** The activity `settleTurn`: gives a turn the end that `streamModel` could not write, or adopts the end that it has (T6). */
import type { OwnTurn, SettleTurnInput } from '../contract/activities.ts';
import type { TurnStatus } from '../domain/turn/turn-state.ts';
import { awaitHolder } from '../settle/await-holder.ts';
import { type SettleDeps, settleTurn as settle } from '../settle/settle-turn.ts';
import type { Store } from '../store/ports/store.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';

/** Less than the activity's own time, behind which Temporal begins it anew. */
const settleMs = 4_000;

export async function settleTurn(
  deps: SettleDeps & { readonly store: Store },
  { turn, requested }: OwnTurn<SettleTurnInput>,
): Promise<TurnStatus> {
  if ((await deps.store.readTurn(turn)) === undefined) {
    // A turn with `store: false` that was settled and purged since: it has had its end, and another try would find no row either.
    return { status: requested.status, code: requested.status === 'failed' ? requested.failure.code : null };
  }
  const patience = AbortSignal.timeout(settleMs);
  // Temporal's own cancel is in no database yet, and the attempt may run in a process that Temporal does not know of.
  if (requested.status === 'cancelled') await retryWhileBusy(() => awaitHolder(deps.store, turn), patience);
  return retryWhileBusy(() => settle(deps, turn, requested), patience);
}
