/** The port to the circuit breakers that are not closed (`domain/turn/breaker.ts`): of all processes on a database. */
import type { BreakerRow, FailedAsking } from '../../domain/turn/breaker.ts';

/** **Contract**, besides that of `Store`. A row is there as long as its breaker is not closed; what is not there is closed. */
export interface BreakerStore {
  /** Those that are not closed, `mostBreakers` at the most, by their keys, so everybody's before those of tenants; and the time by the clock that theirs is told by. */
  readBreakers(): Promise<OpenBreakers>;

  /** Opens one, or opens it again, as `trip` decides. @returns how it stands */
  tripBreaker(of: TripBreaker): Promise<BreakerRow>;

  /** Whether the caller may send the one request that is let through, for `probeMs`: if it is due, and nobody else has it. */
  probeBreaker(key: string): Promise<boolean>;

  /** It was answered. */
  closeBreaker(key: string): Promise<void>;
}

export interface OpenBreakers {
  readonly nowMs: number;
  readonly rows: readonly BreakerRow[];
}

export type TripBreaker = FailedAsking;
