/** When a tenant that has as many turns as it may have is to come again: as its own turns end, and one after the other. */
import { countedMs, retryAfterMs } from '../domain/turn/admission.ts';
import type { TurnStore } from '../store/ports/turns.ts';

/** Refusals of this time share one look at the database: a flood of them is to cost little. */
const lookEveryMs = 1_000;

interface Rate {
  readonly readAtMs: number;
  readonly ended: Promise<number>;
  /** In this time. */
  refused: number;
}

export class EndRates {
  readonly #store: Pick<TurnStore, 'countEnded'>;
  readonly #now: () => number;
  /** Of tenants that were refused in the last second: no more than were refused then. */
  readonly #rates = new Map<string, Rate>();

  /** @param now a monotonic clock, in ms */
  constructor(store: Pick<TurnStore, 'countEnded'>, now: () => number = () => performance.now()) {
    this.#store = store;
    this.#now = now;
  }

  /** How long the turn that is refused now is to wait, in ms: behind those that were refused before it. */
  async refuse(tenant: string): Promise<number> {
    const nowMs = this.#now();
    for (const [other, { readAtMs }] of this.#rates) if (nowMs >= readAtMs + lookEveryMs) this.#rates.delete(other);
    // A database that cannot say it now has told enough by that.
    const rate = this.#rates.get(tenant) ?? {
      readAtMs: nowMs,
      ended: this.#store.countEnded(tenant, countedMs).catch(() => 0),
      refused: 0,
    };
    this.#rates.set(tenant, rate);
    rate.refused += 1;
    const place = rate.refused;
    return retryAfterMs(await rate.ended, place);
  }
}
