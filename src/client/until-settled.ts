import { isSettled } from '../domain/response.ts';
import type { TurnRow } from '../domain/turn.ts';
import type { Store } from '../store/ports/store.ts';

/** Resolves with the settled turn, or with undefined once `signal` aborts or the turn is gone. */
export async function untilSettled(
  store: Pick<Store, 'follow' | 'readTurn'>,
  id: string,
  signal: AbortSignal,
): Promise<TurnRow | undefined> {
  // Behind every possible event there is only the end to wait for.
  for await (const _ of store.follow(id, Number.MAX_SAFE_INTEGER, signal));
  const turn = await store.readTurn(id);
  return turn !== undefined && isSettled(turn.status) ? turn : undefined;
}
