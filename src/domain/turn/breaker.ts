/**
 * The circuit breakers of a model provider: nothing is sent to it while one is open. Each tenant has one of its own, which its
 * own failures open, and there is one for everybody, which those of two tenants open. Pure; a driver of the store keeps the row
 * of each breaker that is not closed, so that all processes see it.
 *
 *   closed ─ turns fail, none is answered ─▶ open ─ its wait is over, one turn asks ─▶ half-open
 *     ▲                                       ▲                                          │
 *     └───────────── answered ────────────────┼──────────────────────────────────────────┤
 *                                             └──────────── failed: a longer wait ───────┘
 */
import type { ModelFailure } from '../model.ts';
import { longestBusyWaitMs } from './retry-policy.ts';

/** Steps of turns that failed, without one that was answered, before it opens: of one tenant, or of several together. */
export const failuresToOpen = 10;
/** What failed longer ago counts no more. */
export const tallyMs = 30_000;
/** The wait behind the first failures; each probe that fails doubles it. */
const shortestWaitMs = 5_000;
const longestWaitMs = 30_000;
/** A probe that has no answer in this time is lost, or slow: another turn may ask. */
export const probeMs = 10_000;
/** A tenant whose probe has failed for everybody leaves the next one to others for so long. */
export const leftToOthersMs = 5_000;
/** Nobody asks any more for what nobody has asked for this long. */
export const forgottenAfterMs = 24 * 60 * 60_000;
/** Models that a process keeps count of, and that are read at once. A client may name any model. */
export const mostBreakers = 1_000;

/** What is kept of one that is not closed. Times are milliseconds since the epoch. */
export interface BreakerRow {
  /** By `breakerKeyOf`. */
  readonly key: string;
  /** When it opened first: a probe that fails does not change it. */
  readonly openedAtMs: number;
  /** How often it opened since: 1 before the first probe. */
  readonly trips: number;
  /** Nothing is sent before. */
  readonly untilMs: number;
  /** One turn asks, for this long; null: none. */
  readonly probeUntilMs: number | null;
  /** Of the failure that opened it: one constant word, such as `503` or `ECONNREFUSED` (T11). */
  readonly detail: string;
}

export type BreakerState =
  | { readonly type: 'closed' }
  /** `isLasting`: it fails for so long that no turn waits for it. */
  | { readonly type: 'open'; readonly waitMs: number; readonly isLasting: boolean }
  | { readonly type: 'half_open'; readonly waitMs: number }
  /** The next turn may ask, once it has the probe. */
  | { readonly type: 'due' };

/** Nothing is sent now; in `waitMs` it may be asked for again. `isLasting`: a turn that has not started yet is not to wait. */
export interface Away {
  readonly waitMs: number;
  readonly isLasting: boolean;
}

export function stateOf(row: BreakerRow | undefined, nowMs: number): BreakerState {
  if (row === undefined) return { type: 'closed' };
  const { untilMs, probeUntilMs, openedAtMs } = row;
  const isSetBack = (endMs: number, lengthMs: number): boolean => endMs > nowMs + lengthMs;
  if (probeUntilMs !== null && probeUntilMs > nowMs && !isSetBack(probeUntilMs, probeMs)) {
    return { type: 'half_open', waitMs: probeUntilMs - nowMs };
  }
  if (untilMs <= nowMs || isSetBack(untilMs, longestWaitMs + leftToOthersMs)) return { type: 'due' };
  return { type: 'open', waitMs: untilMs - nowMs, isLasting: untilMs - openedAtMs > longestBusyWaitMs };
}

const strictness = ['closed', 'due', 'half_open', 'open'] as const;

/** Of two breakers that both are to let a request through. */
export function stricterOf(one: BreakerState, other: BreakerState): BreakerState {
  const [first, second] = [one, other].toSorted((a, b) => strictness.indexOf(a.type) - strictness.indexOf(b.type));
  if (first?.type !== 'open' || second?.type !== 'open') return second ?? one;
  return { type: 'open', waitMs: Math.max(first.waitMs, second.waitMs), isLasting: first.isLasting || second.isLasting };
}

/** What a claim is told of a breaker that is not closed. @param lookMs until another process may be done with its probe */
export function awayOf(state: Exclude<BreakerState, { readonly type: 'closed' }>, lookMs: number): Away {
  if (state.type === 'open') return { waitMs: state.waitMs, isLasting: state.isLasting };
  // Whoever has the probe is about to have an answer.
  return { waitMs: state.type === 'half_open' ? state.waitMs : lookMs, isLasting: false };
}

/**
 * The row behind a failure that opens the breaker; undefined: another process has opened it, and it stays as it is.
 * @param failed.isProbe the request was the one that was let through
 * @param failed.notBeforeMs nothing is sent before this either
 */
export function trip(row: BreakerRow | undefined, failed: FailedAsking & { readonly nowMs: number }): BreakerRow | undefined {
  const { key, detail, isProbe, notBeforeMs = 0, nowMs } = failed;
  if (row !== undefined && !isProbe && stateOf(row, nowMs).type !== 'due') return undefined;
  const trips = (row?.trips ?? 0) + 1;
  const waitMs = Math.min(longestWaitMs, shortestWaitMs * 2 ** (trips - 1));
  const untilMs = Math.max(nowMs + waitMs, notBeforeMs);
  return { key, detail, trips, openedAtMs: row?.openedAtMs ?? nowMs, untilMs, probeUntilMs: null };
}

export interface FailedAsking extends Pick<BreakerRow, 'key' | 'detail'> {
  readonly isProbe: boolean;
  readonly notBeforeMs?: number;
}

/** The two breakers that a tenant's request is to be let through by. */
export interface BreakerKeys {
  readonly everybody: string;
  readonly tenant: string;
}

/**
 * One model at one address: where one is overloaded, the others may answer. Neither credentials nor a query are in them. No
 * client can name a model so that one key is another's: what it names comes last.
 */
export function breakerKeysOf(baseUrl: string, model: string, tenant: string): BreakerKeys {
  const url = URL.parse(baseUrl);
  const everybody = `${url === null ? baseUrl : `${url.origin}${url.pathname}`} ${model}`;
  return { everybody, tenant: `${ofTenant}${encodeURIComponent(tenant)} ${everybody}` };
}

const ofTenant = 'tenant=';

/** Is it one tenant's breaker, and not everybody's? */
export function isOfTenant(key: string): boolean {
  return key.startsWith(ofTenant);
}

/** This machine lacks something: the provider knows nothing of it. */
const ofThisMachine: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EAI_MEMORY']);

const ofEverybody = /^5\d\d\b|overloaded|unavailable|(?:server|internal|api)_?error|no_capacity|bad_gateway|gateway_timeout/i;

/**
 * Would another request have failed in the same way? Not what the provider says of one request, of a key or of its quota:
 * a 4xx, a rate limit, a prompt that it cannot have.
 */
export function isOfEverybody({ code, detail = '', busy }: ModelFailure): boolean {
  if (code === 'transport_failed') return !ofThisMachine.has(detail);
  return code === 'provider_busy' && busy?.final !== true && ofEverybody.test(detail);
}

/** What has failed in a process since anything was answered, whomever it was answered for. */
export class FailureTally {
  readonly #failed = new Map<string, Map<string, { readonly tenant: string; readonly atMs: number }>>();

  /**
   * One tenant's failures are no evidence against a provider: its prompts may be what makes it fail.
   *
   * @param of the step of the turn, which counts once
   * @returns which of the two breakers is to open
   */
  add({ everybody, tenant }: BreakerKeys, of: string, nowMs: number): keyof BreakerKeys | undefined {
    const before = this.#failed.get(everybody) ?? [];
    const failed = new Map([...before].filter(([step, { atMs }]) => step !== of && atMs > nowMs - tallyMs));
    failed.set(of, { tenant, atMs: nowMs });
    this.#failed.delete(everybody);
    const own = [...failed].filter(([, each]) => each.tenant === tenant);
    if (failed.size >= failuresToOpen && own.length < failed.size) return 'everybody';
    const [oldestOwn] = own;
    if (own.length > failuresToOpen && oldestOwn !== undefined) failed.delete(oldestOwn[0]);
    this.#failed.set(everybody, failed);
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > mostBreakers && oldest !== undefined) this.#failed.delete(oldest);
    return own.length >= failuresToOpen ? 'tenant' : undefined;
  }

  /** @param key of either of the two */
  clear(key: string): void {
    this.#failed.delete(isOfTenant(key) ? key.slice(key.indexOf(' ') + 1) : key);
  }
}
