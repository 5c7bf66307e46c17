/**
 * Judges leases that have run out: is whoever holds them dead, or was it only not heard of for a while? A lease is dead at its
 * second sighting, half a second after the first, and only while this process itself looks in time: after a sleep of the
 * machine everybody's leases have run out, and those who live renew theirs at once. So it is while the database takes no
 * writes (a full disk, a long lock): nobody can renew a lease, and no sighting counts.
 *
 * A look that comes late is no sighting itself, nor is the first of all, since nobody knows what was before it: those who
 * live have two beats before they are judged, and one of the two may come to nothing.
 */
import type { ExpiredLease } from '../store/ports/leases.ts';
import type { Store } from '../store/ports/store.ts';

/** Between two sightings: as long as those who live take to renew their leases. */
export const sightingIntervalMs = 500;
/** A look that comes later than this says that this process stood still, and may have missed renewals. */
const lateLookMs = 1_500;
/** Clocks that have moved apart by this say that one was set, or that the machine slept. */
const clockStepMs = 1_000;

export class LeaseJudge {
  readonly #store: Pick<Store, 'probe'>;
  #seen = new Map<string, number>();
  #hasLooked = false;
  /** Counts the times when all that was seen before has become worthless. */
  #era = 0;
  #lastLookAt = performance.now();
  #clockOffsetMs = Date.now() - this.#lastLookAt;

  constructor(store: Pick<Store, 'probe'>) {
    this.#store = store;
  }

  /**
   * To be called whenever it is time to look, also if nothing is looked at then.
   * @returns the look that begins now, for `deadOf`
   */
  tick(): Look {
    const lateMs = performance.now() - this.#lastLookAt;
    this.#lastLookAt = performance.now();
    const offsetMs = Date.now() - this.#lastLookAt;
    const isBlind = !this.#hasLooked || lateMs > lateLookMs || Math.abs(offsetMs - this.#clockOffsetMs) > clockStepMs;
    if (isBlind) this.forget();
    this.#hasLooked = true;
    this.#clockOffsetMs = offsetMs;
    return { isBlind, era: this.#era };
  }

  /**
   * A sighting of all leases that have run out just now, `sightingIntervalMs` behind the one before. Resolves with those whose
   * holder is dead. @throws `StoreBusyError` when the database takes no writes: nobody could renew a lease
   */
  async deadOf<Lease extends Pick<ExpiredLease, 'turn' | 'epoch'>>({ isBlind, era }: Look, expired: readonly Lease[]): Promise<Lease[]> {
    if (expired.length > 0) await this.#store.probe();
    // Meanwhile this process has slept, or the database was seen to be busy.
    if (era !== this.#era) return [];
    const seen = this.#seen;
    this.#seen = new Map((isBlind ? [] : expired).map(({ turn, epoch }) => [turn, epoch]));
    return expired.filter(({ turn, epoch }) => seen.get(turn) === epoch);
  }

  /** What was seen before counts no more: of this turn, or of all. */
  forget(turn?: string): void {
    if (turn !== undefined) {
      this.#seen.delete(turn);
      return;
    }
    this.#seen.clear();
    this.#era += 1;
  }
}

/** One look at the leases, from its beginning on. */
export interface Look {
  /** It is no sighting. */
  readonly isBlind: boolean;
  readonly era: number;
}
