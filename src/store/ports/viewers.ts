/** The port to the books on who followed a turn, for the gateways that serve it and for whoever asks what they had seen. */
import type { ViewerRow } from '../../domain/turn/viewer.ts';

/** **Contract**, besides that of `Store`. The rows of a turn go with its journal, and none is kept of a turn without one. */
export interface ViewerStore {
  /** All in one commit; a row of the same id is brought up to date. Of each turn the `mostViewers` are kept that came last. */
  noteViewers(viewers: readonly ViewerRow[]): Promise<void>;

  /** In the order in which they came. */
  readViewers(turn: string): Promise<readonly ViewerRow[]>;
}
