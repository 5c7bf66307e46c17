/**
 * The circuit breaker of a model provider that fails for everybody: nothing is sent to it while it is open. Pure; a driver of
 * the store keeps the row of each breaker that is not closed, so that all processes see it.
 *
 *   closed ─ turns fail, none is answered ─▶ open ─ its wait is over, one turn asks ─▶ half-open
 *     ▲                                       ▲                                          │
 *     └───────────── answered ────────────────┼──────────────────────────────────────────┤
 *                                             └──────────── failed: a longer wait ───────┘
 */
import type { ModelFailure } from '../model.ts';
import { longestBusyWaitMs } from './retry-policy.ts';

/** Steps of turns that failed, without one that was answered, before it opens: a request that is at fault itself is one of them. */
export const failuresToOpen = 10;
/** What failed longer ago counts no more. */
export const tallyMs = 30_000;
/** The wait behind the first failures; each probe that fails doubles it. */
const shortestWaitMs = 5_000;
const longestWaitMs = 30_000;
/** A probe that has no answer in this time is lost, or slow: another turn may ask. */
export const probeMs = 10_000;
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

/** May a turn's request be sent to its provider now? */
export type Permit =
  | { readonly type: 'asks' }
  /** In `waitMs` it may be asked for again. `isLasting`: a turn that has not started yet is not to wait. */
  | { readonly type: 'away'; readonly waitMs: number; readonly isLasting: boolean };

export function stateOf(row: BreakerRow | undefined, nowMs: number): BreakerState {
  if (row === undefined) return { type: 'closed' };
  const { untilMs, probeUntilMs, openedAtMs } = row;
  const isSetBack = (endMs: number, lengthMs: number): boolean => endMs > nowMs + lengthMs;
  if (probeUntilMs !== null && probeUntilMs > nowMs && !isSetBack(probeUntilMs, probeMs)) {
    return { type: 'half_open', waitMs: probeUntilMs - nowMs };
  }
  if (untilMs <= nowMs || isSetBack(untilMs, longestWaitMs)) return { type: 'due' };
  return { type: 'open', waitMs: untilMs - nowMs, isLasting: untilMs - openedAtMs > longestBusyWaitMs };
}

/**
 * The row behind a failure that opens the breaker; undefined: another process has opened it, and it stays as it is.
 * @param isProbe the request was the one that was let through
 */
export function trip(
  row: BreakerRow | undefined,
  { key, detail, isProbe, nowMs }: Pick<BreakerRow, 'key' | 'detail'> & { readonly isProbe: boolean; readonly nowMs: number },
): BreakerRow | undefined {
  if (row !== undefined && !isProbe && stateOf(row, nowMs).type !== 'due') return undefined;
  const trips = (row?.trips ?? 0) + 1;
  const waitMs = Math.min(longestWaitMs, shortestWaitMs * 2 ** (trips - 1));
  return { key, detail, trips, openedAtMs: row?.openedAtMs ?? nowMs, untilMs: nowMs + waitMs, probeUntilMs: null };
}

/** One model at one address: where one is overloaded, the others may answer. Neither credentials nor a query are in it. */
export function breakerKeyOf(baseUrl: string, model: string): string {
  const url = URL.parse(baseUrl);
  return `${url === null ? baseUrl : `${url.origin}${url.pathname}`} ${model}`;
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

/** What has failed in a process since anything was answered, by breaker. */
export class FailureTally {
  readonly #failed = new Map<string, Map<string, number>>();

  /** @param of the step of the turn, which counts once. @returns whether the breaker is to open */
  add(key: string, of: string, nowMs: number): boolean {
    const before = this.#failed.get(key) ?? [];
    const failed = new Map([...before].filter(([step, atMs]) => step !== of && atMs > nowMs - tallyMs)).set(of, nowMs);
    this.#failed.delete(key);
    if (failed.size >= failuresToOpen) return true;
    this.#failed.set(key, failed);
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > mostBreakers && oldest !== undefined) this.#failed.delete(oldest);
    return false;
  }

  clear(key: string): void {
    this.#failed.delete(key);
  }
}
