/**
 * What comes before a cancelled turn is settled from outside of its stream (T5): whoever writes it is told, and given the time
 * to seal it with all that it has, the last words and the usage. To fence it at once would lose both.
 */
import type { Store } from '../store/ports/store.ts';

/** A beat, which brings the news, and a seal; a cancel is answered within 2 s also where nobody is there to hear of it. */
const graceMs = 1_200;

/**
 * Books the cancel, if it is not booked, where the holder of the turn's lease finds it with its next beat. Resolves once the
 * turn has its end, nobody holds it, or the grace is over.
 * @throws `StoreBusyError` when the cancel cannot be booked now
 */
export async function awaitHolder(
  store: Pick<Store, 'readTurn' | 'requestCancel' | 'readHead' | 'untilSealed'>,
  id: string,
): Promise<void> {
  const turn = await store.readTurn(id);
  if (turn === undefined || turn.settledAtMs !== null) return;
  if (turn.cancelRequestedAtMs === null) await store.requestCancel(turn.tenant, turn.publicId, Date.now());
  const head = await store.readHead(id);
  if (head?.lease !== 'live') return;
  // A turn that is deleted meanwhile has nothing left to wait for.
  await store.untilSealed(id, AbortSignal.timeout(graceMs)).catch(() => undefined);
}
