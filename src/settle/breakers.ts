/**
 * The circuit breakers as a process has them: what it has seen itself counts at once, what others have seen with its next look
 * at the database. While all are closed, a request asks nobody for leave.
 */
import { type BreakerRow, type BreakerState, FailureTally, isOfEverybody, type Permit, stateOf } from '../domain/turn/breaker.ts';
import type { ModelFailure } from '../domain/model.ts';
import type { BreakerStore } from '../store/ports/breakers.ts';
import { StoreBusyError } from '../store/ports/store.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';

const lookEveryMs = 1_000;

export interface BreakersOptions {
  readonly store: BreakerStore;
  /** One has opened, or is closed again. */
  readonly onChange: (key: string, row: BreakerRow | undefined) => void;
  /** A look, or what was to be noted, failed: the next one may not. */
  readonly onError: (error: unknown) => void;
}

const asks: Permit = { type: 'asks' };

export class Breakers {
  readonly #options: BreakersOptions;
  readonly #tally = new FailureTally();
  /** Those that this process has let a request through. */
  readonly #probes = new Set<string>();
  #rows: ReadonlyMap<string, BreakerRow> = new Map();
  /** The database's clock, less that of `performance`. */
  #clockMs = Date.now() - performance.now();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  /** Raised by each change of ours: a look that began before is old. */
  #changes = 0;

  constructor(options: BreakersOptions) {
    this.#options = options;
  }

  /** Looks at the database from now on, every second. */
  start(): void {
    this.#timer ??= setInterval(() => void this.#look(), lookEveryMs).unref();
    void this.#look();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  state(key: string): BreakerState {
    // Whole milliseconds, as all times of the database are.
    return stateOf(this.#rows.get(key), Math.floor(performance.now() + this.#clockMs));
  }

  /** Where one request is to be let through, its answer is owed to `answered` or `failed`. */
  async permit(key: string): Promise<Permit> {
    const state = this.state(key);
    if (state.type === 'closed') return asks;
    if (state.type === 'open') return { type: 'away', waitMs: state.waitMs, isLasting: state.isLasting };
    if (state.type === 'due' && (await this.#options.store.probeBreaker(key))) {
      this.#probes.add(key);
      void this.#look();
      return asks;
    }
    // Whoever has the probe is about to have an answer; what waits is asked for as soon as that is there (`turn-watcher.ts`).
    return { type: 'away', waitMs: state.type === 'half_open' ? state.waitMs : lookEveryMs, isLasting: false };
  }

  /** The provider has answered, with something to show. */
  answered(key: string): void {
    this.#tally.clear(key);
    this.#probes.delete(key);
    if (!this.#rows.has(key)) return;
    void this.#noted(async () => {
      await this.#options.store.closeBreaker(key);
      this.#set(key, undefined);
    });
  }

  /** @param of the step of the turn that was asked for */
  failed(key: string, of: string, failure: ModelFailure): void {
    const isProbe = this.#probes.has(key);
    if (!isOfEverybody(failure)) {
      // It refuses this request, or this key: so it is there.
      if (isProbe && failure.code !== 'model_timeout') this.answered(key);
      return;
    }
    if (!isProbe && !this.#tally.add(key, of, performance.now())) return;
    this.#probes.delete(key);
    const { detail = failure.code } = failure;
    void this.#noted(async () => {
      this.#set(key, await this.#options.store.tripBreaker({ key, detail, isProbe }));
    });
  }

  /** What cannot be noted is seen again: by failures that go on, or by an answer to the next probe. */
  async #noted(write: () => Promise<void>): Promise<void> {
    try {
      await retryWhileBusy(write);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #set(key: string, row: BreakerRow | undefined): void {
    const rows = new Map(this.#rows);
    if (row === undefined) rows.delete(key);
    else rows.set(key, row);
    this.#changes += 1;
    this.#show(rows);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const changes = this.#changes;
    try {
      const { rows, nowMs } = await this.#options.store.readBreakers();
      this.#clockMs = nowMs - performance.now();
      if (changes === this.#changes) this.#show(new Map(rows.map((row) => [row.key, row])));
    } catch (error) {
      // What was known before still holds, and its waits run out by themselves.
      if (!(error instanceof StoreBusyError)) this.#options.onError(error);
    } finally {
      this.#isLooking = false;
    }
  }

  #show(rows: ReadonlyMap<string, BreakerRow>): void {
    const before = this.#rows;
    this.#rows = rows;
    for (const [key, row] of rows) if (!before.has(key)) this.#options.onChange(key, row);
    for (const key of before.keys()) if (!rows.has(key)) this.#options.onChange(key, undefined);
  }
}
