/** The claim of a request whose provider may fail turn after turn: the breaker is asked without being moved, and the probe taken last. */
import { type Away, awayOf, type BreakerState } from '../domain/turn/breaker.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { Claim } from '../store/ports/journal.ts';
import { lookEveryMs } from './breakers.ts';

/** Whoever wants a request to be sent: its settings name the provider and the model. */
export type Asker = Pick<TurnRow, 'tenant' | 'settings'>;
export type AskingStep = Asker & { readonly turn: string; readonly step: number };

/** The breakers of a role, by who asks. */
export interface ProviderBreakers {
  /** As far as this process has seen. */
  state(asker: Asker): BreakerState;
  /** See `Breakers`. */
  probe(asking: AskingStep): Promise<boolean>;
  unanswered(asking: AskingStep): void;
}

/**
 * Where the provider is due for a probe, the first claim says whether a request is to be sent at all, and nothing is changed by it;
 * only then the probe is taken, which whoever does not ask would keep from all others.
 */
export async function claimUnlessAway(
  breakers: ProviderBreakers | undefined,
  asking: AskingStep | undefined,
  claim: (away?: Away) => Promise<Claim>,
): Promise<Claim> {
  if (breakers === undefined || asking === undefined) return claim();
  const state = breakers.state(asking);
  if (state.type === 'closed') return claim();
  const first = await claim(awayOf(state, lookEveryMs));
  if (state.type !== 'due' || first.type !== 'away' || !(await breakers.probe(asking))) return first;
  let isAsked = false;
  try {
    const second = await claim();
    isAsked = second.type === 'granted';
    return second;
  } finally {
    if (!isAsked) breakers.unanswered(asking);
  }
}
