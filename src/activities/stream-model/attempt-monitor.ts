/**
 * Watches a running attempt: sends its heartbeats, and aborts it with a reason when the turn's deadline passes, the
 * journal's epoch is raised, or Temporal cancels the activity.
 */
import { Context } from '@temporalio/activity';
import type { Store } from '../../store/ports/store.ts';
import { AttemptAborted, abortReasonOf } from './abort-reason.ts';

/** Often enough that a dead worker is noticed in time, and that a cancel arrives where the server cannot push it. */
const heartbeatIntervalMs = 500;

/** Sends heartbeats from the first moment on, and gathers every reason to stop into one signal. */
export class AttemptMonitor implements Disposable {
  readonly #abort = new AbortController();
  readonly #beat: NodeJS.Timeout;
  readonly #deadline: NodeJS.Timeout;
  /** Kept, because a cancel arrives outside of the activity's async context. */
  readonly #context = Context.current();
  #guarded: { store: Store; turn: string; epoch: number } | undefined;

  constructor(deadlineAtMs: number) {
    this.#context.heartbeat();
    this.#beat = setInterval(() => {
      this.#context.heartbeat();
      void this.#checkEpoch();
    }, heartbeatIntervalMs);
    this.#deadline = setTimeout(
      () => {
        this.abort('deadline');
      },
      Math.max(0, deadlineAtMs - Date.now()),
    );
    const { cancellationSignal } = this.#context;
    if (cancellationSignal.aborted) this.#onCancelled();
    else cancellationSignal.addEventListener('abort', this.#onCancelled, { once: true });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  abort(reason: AttemptAborted['reason'], cause?: unknown): void {
    this.#abort.abort(new AttemptAborted(reason, cause));
  }

  /** From here on a raised epoch aborts the attempt within one heartbeat, even while it writes nothing. */
  guard(store: Store, turn: string, epoch: number): void {
    this.#guarded = { store, turn, epoch };
  }

  /** The cause of the attempt's end: our own signal's reason, whatever error the abort brought about. */
  reason(error: unknown): unknown {
    return this.signal.aborted ? this.signal.reason : error;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#beat);
    clearTimeout(this.#deadline);
    this.#context.cancellationSignal.removeEventListener('abort', this.#onCancelled);
  }

  readonly #onCancelled = (): void => {
    this.abort(abortReasonOf(this.#context.cancellationDetails));
  };

  async #checkEpoch(): Promise<void> {
    if (this.#guarded === undefined) return;
    const { store, turn, epoch } = this.#guarded;
    try {
      // A journal that is gone was sealed and deleted: this attempt may write it no more.
      if ((await store.readHead(turn))?.epoch !== epoch) this.abort('fenced');
    } catch {
      // A database that cannot be read just now says nothing about the epoch; the next write will.
    }
  }
}
