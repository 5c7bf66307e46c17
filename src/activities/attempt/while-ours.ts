/** What keeps a request back of a turn that is another one's by now, or is to be cancelled. */
import type { ProviderCallbacks } from '../../providers/provider.ts';
import type { Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import type { AbortReason } from './abort-reason.ts';

export interface Holding {
  readonly store: Pick<Store, 'readHead' | 'readTurn'>;
  readonly turn: string;
  readonly epoch: number;
  readonly signal: AbortSignal;
  readonly abort: (reason: AbortReason) => void;
  readonly isLeaseOver: () => boolean;
}

export function whileOurs({ store, turn, epoch, signal, abort, isLeaseOver }: Holding): Pick<ProviderCallbacks, 'beforeSend' | 'maySend'> {
  return {
    // A process that stood still since its claim may have lost the turn (T2), and a cancel may have been accepted (T5).
    beforeSend: async () => {
      const head = await retryWhileBusy(() => store.readHead(turn), signal);
      const isLost = head?.epoch !== epoch;
      const row = isLost ? undefined : await retryWhileBusy(() => store.readTurn(turn), signal);
      if (isLost) abort('fenced');
      else if (row?.cancelRequestedAtMs != null) abort('cancelled');
      signal.throwIfAborted();
    },
    maySend: () => {
      if (isLeaseOver()) abort('fenced');
      return !signal.aborted;
    },
  };
}
