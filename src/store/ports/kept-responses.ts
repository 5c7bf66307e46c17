/** The port to answers that their providers keep: what lets another process read one on. */
import type { AttemptKey } from '../../domain/turn/attempt.ts';
import type { KeptResponse, Reattachment } from '../../domain/turn/kept-response.ts';

/** **Contract**, besides that of `Store`: nothing here is written for an epoch that is no longer the writer's, or an attempt that has its end. */
export interface KeptResponseStore {
  /**
   * Books under which id the provider keeps the answer of an attempt, before anything of it is appended: from now on a claim of
   * the step goes on with that attempt. False, and nothing written: the turn is another one's.
   */
  bookKeptResponse(booking: AttemptKey & { readonly epoch: number; readonly response: KeptResponse }): Promise<boolean>;

  /** The answer was read on behind a break, by whoever holds the turn. */
  noteReattachment(note: AttemptKey & { readonly epoch: number; readonly reattachment: Reattachment }): Promise<void>;

  /** Ends the lease of an attempt whose answer others are to read on, at once: the attempt has no end yet. */
  passOn(attempt: AttemptKey & { readonly epoch: number }): Promise<void>;
}
