/** The attempts of this process, where it has a worker, for those who send requests without waiting for Temporal. */
import type { Claim, Lease } from '../store/ports/journal.ts';
import type { Store } from '../store/ports/store.ts';

/** What is needed of them. */
export interface HeadStart {
  readonly lease: Lease;
  /** Room for one more attempt, of this tenant or of any, to be held from before its claim until it runs; undefined: none. */
  reserve(tenant?: string): Disposable | undefined;
  run(claim: Extract<Claim, { type: 'granted' }>, step: number): unknown;
  get(turn: string): { abort(reason: 'cancelled'): void; steer(): void } | undefined;
}

/**
 * Claims the request of a step, and sends it where that is granted.
 * @param of without a tenant there is room only where any tenant has some
 * @returns undefined: there is no room in this process
 */
export async function claimAndRun(
  store: Pick<Store, 'claim'>,
  attempts: HeadStart,
  { turn, step, tenant }: { readonly turn: string; readonly step: number; readonly tenant?: string },
): Promise<Claim | undefined> {
  using room = attempts.reserve(tenant);
  if (room === undefined) return undefined;
  const claim = await store.claim({ turn, step, lease: attempts.lease });
  if (claim.type === 'granted') attempts.run(claim, step);
  return claim;
}
