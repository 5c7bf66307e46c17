/**
 * The circuit breakers as a process has them: what it has seen itself counts at once, what others have seen with its next look
 * at the database. While all are closed, a request asks nobody for leave.
 */
import {
  type BreakerKeys,
  type BreakerRow,
  type BreakerState,
  FailureTally,
  isOfEverybody,
  leftToOthersMs,
  probeMs,
  stateOf,
  stricterOf,
} from '../domain/turn/breaker.ts';
import type { ModelFailure } from '../domain/model.ts';
import type { BreakerStore, TripBreaker } from '../store/ports/breakers.ts';
import { StoreBusyError } from '../store/ports/store.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';

export const lookEveryMs = 1_000;

export interface BreakersOptions {
  readonly store: BreakerStore;
  /** One has opened, or is closed again. */
  readonly onChange: (key: string, row: BreakerRow | undefined) => void;
  /** A look, or what was to be noted, failed: the next one may not. */
  readonly onError: (error: unknown) => void;
}

export class Breakers {
  readonly #options: BreakersOptions;
  readonly #tally = new FailureTally();
  /** The requests that were let through in this process, by their breakers; `untilMs` by `performance`. */
  readonly #probes = new Map<string, { readonly of: string; readonly untilMs: number }>();
  /** Those that this process is about to open. */
  readonly #opening = new Set<string>();
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

  state({ everybody, tenant }: BreakerKeys): BreakerState {
    if (this.#rows.size === 0) return { type: 'closed' };
    const nowMs = this.#nowMs();
    return stricterOf(stateOf(this.#rows.get(everybody), nowMs), stateOf(this.#rows.get(tenant), nowMs));
  }

  /**
   * Where they are due: may this one request be sent? What it comes to is owed to `answered`, `failed` or `unanswered`.
   *
   * @param of the step of the turn that asks
   */
  async probe({ everybody, tenant }: BreakerKeys, of: string): Promise<boolean> {
    const key = this.#rows.has(everybody) ? everybody : tenant;
    const isOurs = await this.#options.store.probeBreaker(key);
    const row = this.#rows.get(key);
    if (isOurs && row !== undefined) {
      this.#probes.set(key, { of, untilMs: performance.now() + probeMs });
      this.#set(key, { ...row, probeUntilMs: this.#nowMs() + probeMs });
    } else {
      void this.#look();
    }
    return isOurs;
  }

  /** The provider has answered, with something to show. */
  answered(keys: BreakerKeys): void {
    this.#tally.clear(keys.everybody);
    if (this.#rows.size === 0) return;
    for (const key of [keys.everybody, keys.tenant]) {
      this.#probes.delete(key);
      if (this.#rows.has(key)) void this.#noted(() => this.#close(key));
    }
  }

  /** Nobody waits for its answer any more, or it was not sent: it says nothing of the provider. */
  unanswered(keys: BreakerKeys, of: string): void {
    this.#takeProbe(keys, of);
  }

  /** @param of the step of the turn that was asked for */
  failed(keys: BreakerKeys, of: string, failure: ModelFailure): void {
    const probed = this.#takeProbe(keys, of);
    if (!isOfEverybody(failure)) {
      // It refuses this request, or this key: so it is there.
      if (probed !== undefined && failure.code !== 'model_timeout') this.answered(keys);
      return;
    }
    const { detail = failure.code } = failure;
    if (probed === 'everybody') {
      // The next probe is somebody else's, if anybody else is there: it may be this tenant's requests that fail.
      void this.#noted(async () => {
        const { untilMs } = await this.#trip({ key: keys.everybody, detail, isProbe: true });
        await this.#trip({ key: keys.tenant, detail, isProbe: true, notBeforeMs: untilMs + leftToOthersMs });
      });
      return;
    }
    const opens = probed ?? this.#tally.add(keys, of, performance.now());
    // What was sent before it opened says nothing new.
    if (opens === undefined || (probed === undefined && this.#isOpening(keys[opens]))) return;
    const key = keys[opens];
    this.#opening.add(key);
    void this.#noted(async () => {
      await this.#trip({ key, detail, isProbe: probed !== undefined });
    }).finally(() => this.#opening.delete(key));
  }

  #isOpening(key: string): boolean {
    return this.#opening.has(key) || this.#rows.has(key);
  }

  #takeProbe(keys: BreakerKeys, of: string): keyof BreakerKeys | undefined {
    for (const name of ['everybody', 'tenant'] as const) {
      const probe = this.#probes.get(keys[name]);
      if (probe?.of !== of) continue;
      this.#probes.delete(keys[name]);
      if (probe.untilMs > performance.now()) return name;
    }
    return undefined;
  }

  async #trip(failed: TripBreaker): Promise<BreakerRow> {
    const row = await this.#options.store.tripBreaker(failed);
    this.#set(failed.key, row);
    return row;
  }

  async #close(key: string): Promise<void> {
    await this.#options.store.closeBreaker(key);
    this.#set(key, undefined);
  }

  /** The database's clock. Whole milliseconds, as all its times are. */
  #nowMs(): number {
    return Math.floor(performance.now() + this.#clockMs);
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
    // Closed by somebody else: whatever comes of our probe is one request as any other.
    for (const key of this.#probes.keys()) if (!rows.has(key)) this.#probes.delete(key);
    for (const [key, row] of rows) if (!before.has(key)) this.#options.onChange(key, row);
    for (const key of before.keys()) {
      if (rows.has(key)) continue;
      // Somebody was answered, here or elsewhere.
      this.#tally.clear(key);
      this.#options.onChange(key, undefined);
    }
  }
}
