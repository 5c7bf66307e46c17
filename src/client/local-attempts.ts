/** Sends a request in this process, where it has a worker, without waiting for Temporal to give it the activity. */
import type { ResponseSettings } from '../domain/response/response-settings.ts';
import { claimUnlessAway, type ProviderBreakers } from '../settle/claim-unless-away.ts';
import type { Claim } from '../store/ports/journal.ts';
import type { Lease } from '../store/ports/leases.ts';
import type { Store } from '../store/ports/store.ts';

/** The attempts that run in this process: what `client/` needs of `activities/attempt/running-attempts.ts`, which it may not import. */
export interface LocalAttempts {
  readonly lease: Lease;
  /** Has the configuration of this process what a turn of these settings needs? Any turn, where nothing is said. */
  canServe?(settings: Pick<ResponseSettings, 'agent'>): boolean;
  /** Any provider may be asked, where nothing is said. */
  readonly breakers?: ProviderBreakers | undefined;
  /** Room for one more attempt, of this tenant or of any, to be held from before its claim until it runs; undefined: none. */
  reserve(tenant?: string): Disposable | undefined;
  run(claim: Extract<Claim, { type: 'granted' | 'tools' }>, step: number): unknown;
  get(turn: string): { abort(reason: 'cancelled'): void; steer(): void } | undefined;
}

/**
 * Claims the request of a step, and sends it where that is granted.
 * @param tenant whose turn it is; without it there is room only where every tenant has some
 * @returns undefined: there is no room in this process, its configuration is not that of the turn, or the provider is away
 */
export async function claimAndRun(
  store: Pick<Store, 'claim' | 'readTurn'>,
  attempts: LocalAttempts,
  { turn, step, tenant }: { readonly turn: string; readonly step: number; readonly tenant?: string },
): Promise<Claim | undefined> {
  using room = attempts.reserve(tenant);
  if (room === undefined) return undefined;
  const { breakers } = attempts;
  const row = attempts.canServe === undefined && breakers === undefined ? undefined : await store.readTurn(turn);
  if (row !== undefined && attempts.canServe?.(row.settings) === false) return undefined;
  const state = row && breakers?.state(row).type;
  if (state === 'open' || state === 'half_open') return undefined;
  const asking = row && { turn, step, tenant: row.tenant, settings: row.settings };
  const claim = await claimUnlessAway(breakers, asking, (away) => store.claim({ turn, step, lease: attempts.lease, away }));
  if (claim.type === 'granted' || claim.type === 'tools') attempts.run(claim, step);
  return claim.type === 'away' ? undefined : claim;
}
