/**
 * The clocks and ears of a running attempt: it beats, watches the turn's deadline and the journal's fence, hears
 * Temporal's cancel, and turns each into one abort with its reason.
 */
import { Context } from '@temporalio/activity';
import type { Store } from '../../store/ports/store.ts';
import { AttemptAborted, abortReasonOf } from './abort-reason.ts';

/** Often enough that a dead worker is noticed in time and a cancel is heard where the server cannot push it. */
const heartbeatIntervalMs = 500;

/** Beats from entry, and gathers every reason to stop into one signal. */
export class AttemptMonitor implements Disposable {
  readonly #abort = new AbortController();
  readonly #beat: NodeJS.Timeout;
  readonly #deadline: NodeJS.Timeout;
  /** Kept: a cancel arrives outside of the activity's own async context. */
  readonly #context = Context.current();
  #guarded: { store: Store; turn: string; epoch: number } | undefined;

  constructor(deadlineAtMs: number) {
    this.#context.heartbeat();
    this.#beat = setInterval(() => {
      this.#context.heartbeat();
      void this.#lookForFence();
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

  /** From here on a raised epoch stops the stream, even if nothing is being written: a zombie notices within a beat. */
  guard(store: Store, turn: string, epoch: number): void {
    this.#guarded = { store, turn, epoch };
  }

  /** Why it really ended: our own signal tells, whatever error its abort brought about. */
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

  async #lookForFence(): Promise<void> {
    if (this.#guarded === undefined) return;
    const { store, turn, epoch } = this.#guarded;
    try {
      // A journal that is gone was sealed and deleted: nobody is to write it any more.
      if ((await store.readHead(turn))?.epoch !== epoch) this.abort('fenced');
    } catch {
      // A database that cannot be read just now says nothing about the fence; the next write will.
    }
  }
}
