/**
 * The attempts that run in this process, whoever began them: the commit that accepted their turn (a head start), the
 * activity `streamModel`, or the watcher that found a dead worker's turn. One beat for all of them renews their leases, and
 * learns of cancels and of higher epochs: an attempt needs Temporal neither to live nor to be stopped.
 */
import { turnTimeMs } from '../../domain/turn/budget.ts';
import type { ResponseSettings } from '../../domain/response/response-settings.ts';
import type { Provider } from '../../providers/provider.ts';
import type { ProviderBreakers } from '../../settle/claim-unless-away.ts';
import type { Claim } from '../../store/ports/journal.ts';
import type { Lease, TurnPulse } from '../../store/ports/leases.ts';
import type { RecordMode } from '../../domain/turn/recording.ts';
import type { Store } from '../../store/ports/store.ts';
import { AttemptAborted, type AbortReason } from './abort-reason.ts';
import type { AttemptResult } from './attempt-result.ts';
import { runAttempt, type Taped } from './run-attempt.ts';
import type { Tape } from './tape.ts';
import { KeptStreams } from './kept-streams.ts';
import { type Agents, canServe, HandOns } from './agents.ts';

export type GrantedClaim = Extract<Claim, { type: 'granted' | 'tools' }>;

export interface RunningAttemptsOptions {
  readonly store: Store;
  /** Of turns that are of no agent, and of agents that name none. */
  readonly provider: Provider;
  /** What the configuration has beside it: none where nothing is said. */
  readonly agents?: Agents;
  readonly limits: AttemptLimits;
  /** Of the providers' circuit breakers; any may be asked where there are none. */
  readonly breakers?: ProviderBreakers;
  /** What is kept for `rerun`; `wire` where nothing is said. */
  readonly record?: RecordMode;
  /** Instead of a recorder. */
  readonly tapeOf?: (taped: Taped) => Tape;
  /** Attempts at once, in this process, of all tenants. No tenant has more than half of them. */
  readonly maxAttempts?: number;
  /** A turn has become ready by the end of another: it is to be dispatched. */
  readonly onReady: (turn: string) => void;
  /** An attempt ended in an error that is not the provider's: a fault of ours. */
  readonly onError: (error: unknown) => void;
}

export interface AttemptLimits {
  /** The length of a lease, ms. */
  readonly heartbeatTimeoutMs: number;
  /** Of a turn, from the moment it could run, ms. */
  readonly turnTimeoutMs: number;
  /** Of an answer's text, bytes. */
  readonly maxOutputBytes: number;
}

export interface RunningAttempt {
  readonly step: number;
  readonly epoch: number;
  /** Never rejects but for a fault of our own. */
  readonly result: Promise<AttemptResult>;
  abort(reason: AbortReason, cause?: unknown): void;
  /** The user has said more: it ends where nothing is torn, as `incomplete`. */
  steer(): void;
}

/** By `performance.now()`, and in ms since the epoch. */
interface Moment {
  readonly ticks: number;
  readonly wall: number;
}

interface OwnAttempt extends RunningAttempt {
  /** A beat that was sent at this moment has renewed the lease. */
  renewed(sentAt: Moment): void;
}

/** How long the ends of attempts may take to be written, once the drain is over. */
const drainPatienceMs = 5_000;

/** Node takes none that is longer: an agent may have months. */
const longestTimeoutMs = 2_147_483_647;

/** A cancel that is booked in the database reaches the stream within this, with or without Temporal (T5). */
const longestBeatIntervalMs = 500;

/**
 * The attempts of this process, for its activities.
 *
 * @example
 *     import { createProvider, openSqliteStore, RunningAttempts } from 'turnkeep/activities';
 *     import { readConfig } from 'turnkeep/config';
 *
 *     const { limits, provider: options } = readConfig({ env: process.env });
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const provider = createProvider({ ...options, limits });
 *     const onReady = (turn: string): void => console.log(`${turn} is to be dispatched`);
 *     const attempts = new RunningAttempts({ store, provider, limits, onReady, onError: console.error });
 *     process.once('SIGTERM', () => void attempts.drain(limits.drainMs));
 */
export class RunningAttempts {
  readonly lease: Lease;
  readonly handOns = new HandOns();
  readonly #options: RunningAttemptsOptions;
  readonly #running = new Map<string, OwnAttempt>();
  readonly #streams: KeptStreams;
  /** Running and reserved. */
  readonly #countOfTenant = new Map<string, number>();
  #reserved = 0;
  /** Of those that run, the ones that wait for others. */
  #roomless = 0;
  /** Of those that are reserved, for tenants that are not known. */
  #reservedForAny = 0;
  #beating: NodeJS.Timeout | undefined;
  #isBeating = false;
  #isDraining = false;
  #hasDrained = false;

  constructor(options: RunningAttemptsOptions) {
    this.#options = options;
    this.#streams = new KeptStreams(options.store);
    this.lease = { holder: `${process.pid}-${crypto.randomUUID()}`, lengthMs: options.limits.heartbeatTimeoutMs };
  }

  get(turn: string): RunningAttempt | undefined {
    return this.#running.get(turn);
  }

  /** Has the configuration of this process what a turn of these settings needs? */
  canServe(settings: Pick<ResponseSettings, 'agent'>): boolean {
    return canServe(this.#options.agents, settings);
  }

  /** undefined: any provider may be asked. */
  get breakers(): ProviderBreakers | undefined {
    return this.#options.breakers;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /**
   * Room for one more attempt of this tenant, to be held from before its claim until it runs; undefined: there is none. A
   * tenant may have as many as are free: one alone has half of the process at the most, two a third each, and whoever comes
   * next finds room, however long the streams of the others last (T14).
   *
   * @param tenant if it is not known, there is room only where any tenant has some
   */
  reserve(tenant?: string): Disposable | undefined {
    const used = this.#running.size - this.#roomless + this.#reserved;
    const own = tenant === undefined ? used : (this.#countOfTenant.get(tenant) ?? 0) + this.#reservedForAny;
    const free = (this.#options.maxAttempts ?? Number.POSITIVE_INFINITY) - used;
    if (this.#isDraining || own >= free) return undefined;
    this.#reserve(tenant, 1);
    return { [Symbol.dispose]: () => this.#reserve(tenant, -1) };
  }

  /** Sends the request of a granted claim, and streams its answer. */
  run(claim: GrantedClaim, step: number): RunningAttempt {
    const { limits, onError } = this.#options;
    const { id: turn, tenant } = claim.turn;
    const controller = new AbortController();
    const abort = (reason: AbortReason, cause?: unknown): void => {
      controller.abort(new AttemptAborted(reason, cause));
    };
    const steering = new AbortController();
    const steer = (): void => {
      steering.abort();
    };
    const deadline = setTimeout(
      () => {
        abort('deadline');
      },
      Math.min(longestTimeoutMs, Math.max(0, turnTimeMs(claim.turn.settings.budget, limits.turnTimeoutMs) - claim.readySinceMs)),
    );
    // Whoever ran here under an older claim has lost it.
    this.#running.get(turn)?.abort('fenced');
    const { lengthMs } = this.lease;
    // The commit that began the lease may have taken long, and so may the way from there to here.
    const usedMs = Math.max(0, lengthMs - (claim.leaseUntilMs - Date.now()));
    let began: Moment = { ticks: performance.now() - usedMs, wall: Date.now() - usedMs };
    // Either clock may end it: one of the two stands still while the machine sleeps, the other may be set.
    const isLeaseOver = (): boolean => performance.now() >= began.ticks + lengthMs || Date.now() >= began.wall + lengthMs;
    let hasRoom = true;
    const leaveRoom = (): void => {
      if (!hasRoom) return;
      hasRoom = false;
      this.#roomless += 1;
      this.#count(tenant, -1);
    };
    const result = runAttempt(this.#options, {
      claim,
      step,
      streams: this.#streams,
      signal: controller.signal,
      steered: steering.signal,
      abort,
      isLeaseOver,
      leaveRoom,
    }).finally(() => {
      clearTimeout(deadline);
      if (hasRoom) this.#count(tenant, -1);
      else this.#roomless -= 1;
      if (this.#running.get(turn) === running) this.#running.delete(turn);
    });
    const renewed = (sentAt: Moment): void => {
      began = sentAt;
    };
    const running: OwnAttempt = { step, epoch: claim.epoch, result, abort, steer, renewed };
    result.then((ended) => {
      if (ended.cause !== undefined) onError(ended.cause);
    }, onError);
    this.#running.set(turn, running);
    this.#count(tenant, 1);
    this.#beat();
    // Accepted before the drain, and granted after its end.
    if (this.#hasDrained) abort('shutdown');
    return running;
  }

  /** From now on there is no room. After this time whatever still runs is handed on, or ends as `worker_lost`. Resolves once nothing runs. */
  async drain(drainMs: number): Promise<void> {
    this.#isDraining = true;
    const timer = setTimeout(() => {
      this.#hasDrained = true;
      for (const attempt of this.#running.values()) attempt.abort('shutdown');
    }, drainMs);
    const patience = AbortSignal.timeout(drainMs + drainPatienceMs);
    const isOver = new Promise<void>((resolve) => {
      patience.addEventListener('abort', () => resolve(), { once: true });
    });
    // A database that takes no writes keeps the ends of attempts waiting; their leases run out, and others write them.
    while (this.#running.size > 0 && !patience.aborted) {
      await Promise.race([isOver, Promise.allSettled(Array.from(this.#running.values(), ({ result }) => result))]);
    }
    clearTimeout(timer);
    this.#hasDrained = true;
    clearInterval(this.#beating);
    this.#beating = undefined;
  }

  #reserve(tenant: string | undefined, change: 1 | -1): void {
    this.#reserved += change;
    if (tenant === undefined) this.#reservedForAny += change;
    else this.#count(tenant, change);
  }

  #count(tenant: string, change: 1 | -1): void {
    const count = (this.#countOfTenant.get(tenant) ?? 0) + change;
    if (count === 0) this.#countOfTenant.delete(tenant);
    else this.#countOfTenant.set(tenant, count);
  }

  #beat(): void {
    this.#beating ??= setInterval(
      () => {
        if (this.#running.size > 0) {
          void this.#beatOnce();
          return;
        }
        clearInterval(this.#beating);
        this.#beating = undefined;
      },
      Math.min(longestBeatIntervalMs, this.lease.lengthMs / 4),
    );
  }

  async #beatOnce(): Promise<void> {
    if (this.#isBeating) return;
    this.#isBeating = true;
    const running = new Map(this.#running);
    const sentAt: Moment = { ticks: performance.now(), wall: Date.now() };
    try {
      const pulses = await this.#options.store.beat({ lease: this.lease, turns: [...running.keys()] });
      const byTurn = new Map(pulses.map((pulse) => [pulse.turn, pulse]));
      for (const [turn, attempt] of running) {
        attempt.renewed(sentAt);
        heed(attempt, byTurn.get(turn));
      }
    } catch {
      // A database that is busy just now says nothing about the turns; the next beat will.
    } finally {
      this.#isBeating = false;
    }
  }
}

/** A turn that is gone was sealed and deleted: this attempt may write it no more. */
function heed(attempt: RunningAttempt, pulse: TurnPulse | undefined): void {
  if (pulse === undefined || pulse.epoch !== attempt.epoch) attempt.abort('fenced');
  else if (pulse.isCancelRequested && !pulse.isSealed) attempt.abort('cancelled');
  else if (pulse.isSteerRequested && !pulse.isSealed) attempt.steer();
}
