/**
 * The attempts that run in this process, whoever began them: the commit that accepted their turn (a head start), the
 * activity `streamModel`, or the watcher that found a dead worker's turn. One beat for all of them renews their leases, and
 * learns of cancels and of higher epochs: an attempt needs Temporal neither to live nor to be stopped.
 */
import type { Provider } from '../../providers/provider.ts';
import type { Claim, Lease, TurnPulse } from '../../store/ports/journal.ts';
import type { Store } from '../../store/ports/store.ts';
import { AttemptAborted, type AbortReason } from './abort-reason.ts';
import type { AttemptResult } from './attempt-result.ts';
import { runAttempt } from './run-attempt.ts';

export type GrantedClaim = Extract<Claim, { type: 'granted' }>;

export interface RunningAttemptsOptions {
  readonly store: Store;
  readonly provider: Provider;
  readonly limits: AttemptLimits;
  /** Attempts at once, in this process. */
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
}

/** A cancel that is booked in the database reaches the stream within this, with or without Temporal (T5). */
const beatIntervalMs = 500;

export class RunningAttempts {
  readonly lease: Lease;
  readonly #options: RunningAttemptsOptions;
  readonly #running = new Map<string, RunningAttempt>();
  #beating: NodeJS.Timeout | undefined;
  #isBeating = false;

  constructor(options: RunningAttemptsOptions) {
    this.#options = options;
    this.lease = { holder: `${process.pid}-${crypto.randomUUID()}`, lengthMs: options.limits.heartbeatTimeoutMs };
  }

  get(turn: string): RunningAttempt | undefined {
    return this.#running.get(turn);
  }

  /** Room for one more that nobody has to run here. */
  get hasRoom(): boolean {
    return this.#running.size < (this.#options.maxAttempts ?? Number.POSITIVE_INFINITY);
  }

  /** Sends the request of a granted claim, and streams its answer. */
  run(claim: GrantedClaim, step: number): RunningAttempt {
    const { limits, onError } = this.#options;
    const turn = claim.turn.id;
    const controller = new AbortController();
    const abort = (reason: AbortReason, cause?: unknown): void => {
      controller.abort(new AttemptAborted(reason, cause));
    };
    const deadline = setTimeout(
      () => {
        abort('deadline');
      },
      Math.max(0, limits.turnTimeoutMs - claim.readySinceMs),
    );
    const result = runAttempt(this.#options, { claim, step, signal: controller.signal, abort }).finally(() => {
      clearTimeout(deadline);
      if (this.#running.get(turn) === running) this.#running.delete(turn);
    });
    const running: RunningAttempt = { step, epoch: claim.epoch, result, abort };
    result.catch(onError);
    this.#running.set(turn, running);
    this.#beat();
    return running;
  }

  /** After this time whatever still runs is handed on, or ends as `worker_lost`. Resolves once nothing runs. */
  async drain(drainMs: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const { abort } of this.#running.values()) abort('shutdown');
    }, drainMs);
    while (this.#running.size > 0) await Promise.allSettled(Array.from(this.#running.values(), ({ result }) => result));
    clearTimeout(timer);
    clearInterval(this.#beating);
    this.#beating = undefined;
  }

  #beat(): void {
    this.#beating ??= setInterval(() => {
      if (this.#running.size > 0) {
        void this.#beatOnce();
        return;
      }
      clearInterval(this.#beating);
      this.#beating = undefined;
    }, beatIntervalMs);
  }

  async #beatOnce(): Promise<void> {
    if (this.#isBeating) return;
    this.#isBeating = true;
    const running = new Map(this.#running);
    try {
      const pulses = await this.#options.store.beat({ lease: this.lease, turns: [...running.keys()] });
      const byTurn = new Map(pulses.map((pulse) => [pulse.turn, pulse]));
      for (const [turn, attempt] of running) heed(attempt, byTurn.get(turn));
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
}
