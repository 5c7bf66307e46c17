/**
 * Appends of all streams of a process, in one statement every few milliseconds (group commit). Each turn's own are written in the
 * order they came, one write under way at a time; the writes of different turns wait for nobody's answer, and for nobody's lock: a
 * statement leaves out the heads that somebody else has locked, which are asked for again a few milliseconds later.
 *
 * Every write is its own commit of the server, synced to disk there. When its answer is lost, it may stand or not: it is sent
 * again. A head that it has moved already refuses it then, and its rows, which are there byte for byte, prove that it stands.
 */
import type pg from 'pg';
import type { Append } from '../ports/journal.ts';
import { StoreBusyError } from '../ports/store.ts';
import { AppendQueues, type QueuedWrite } from './append-queues.ts';
import { WriterLane } from './writer-lane.ts';

/** How long appends are gathered for, while others are under way. */
const gatherMs = 3;
const statementsInFlight = 3;
/** Of one statement, so that nobody waits long behind it. The write that reaches it is the last. */
const atOnce = { bytes: 524_288, writes: 500 };
const pauseMs = 50;
/** A head that has been locked for so long each time it was asked for is waited for: else others might take it again and again. */
const heldForMs = 250;

export interface JournalWriterOptions {
  /** Two connections: one for the first event of steps, which must not wait behind what others have to say. */
  readonly config: pg.ClientConfig;
  /** Where the tables are. */
  readonly schema: string;
  /** Statements are prepared once on each connection. */
  readonly prepare: boolean;
  /** What time it is by the clock of the database, where that is known, ms since the epoch; otherwise the server says. */
  readonly now?: () => number | undefined;
  /**
   * Writes one append on another connection, and waits for its head as long as a lock is waited for. See `JournalStore.append`.
   * @throws `StoreBusyError` where nothing was written; another error where that is not known
   */
  readonly appendWaiting: (append: Append) => Promise<boolean>;
  /** A server that does not answer for so long is taken for gone, and is connected to again: longer than a statement may take. 20 s where nothing is said. */
  readonly silenceMs?: number;
  /** An append that could not be sent for so long is `StoreBusyError`. 5 s where nothing is said. */
  readonly patienceMs?: number;
  /** Of all that wait, and of one turn: more is `StoreBusyError` at once. 64 MiB and 8 MiB where nothing is said. */
  readonly maxBytes?: number;
  readonly maxTurnBytes?: number;
}

export class JournalWriter {
  readonly #options: JournalWriterOptions & Required<Pick<JournalWriterOptions, 'silenceMs' | 'patienceMs'>>;
  readonly #queues: AppendQueues;
  readonly #lane: WriterLane;
  readonly #startLane: WriterLane;
  #gathering: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;
  #impatience: NodeJS.Timeout | undefined;
  #held: { readonly timer: NodeJS.Timeout; readonly dueAtMs: number } | undefined;
  #waiting: Promise<void> | undefined;
  #pausedUntilMs = 0;
  #isClosed = false;

  constructor(options: JournalWriterOptions) {
    const { maxBytes = 67_108_864, maxTurnBytes = 8_388_608 } = options;
    this.#options = { silenceMs: 20_000, patienceMs: 5_000, ...options };
    this.#queues = new AppendQueues({ maxBytes, maxTurnBytes });
    const lane = { ...this.#options, onChange: () => this.#pump() };
    this.#lane = new WriterLane(lane);
    this.#startLane = new WriterLane(lane);
  }

  /** Connects ahead of the first append. */
  open(): void {
    this.#lane.open();
    this.#startLane.open();
  }

  /** Of what waits to be written, or to be answered. */
  get queuedBytes(): number {
    return this.#queues.bytes;
  }

  /**
   * See `JournalStore.append`: resolves once it is committed and on disk, or refused.
   * @throws `StoreBusyError` where it has not been sent, for `patienceMs` or because too much waits; nothing was written
   */
  append(append: Append): Promise<boolean> {
    if (this.#isClosed) return Promise.reject(new Error('the store was closed'));
    return new Promise((resolve, reject) => {
      if (!this.#queues.add(append, { resolve, reject })) {
        reject(new StoreBusyError('too much waits to be written to the journals'));
        return;
      }
      this.#impatience ??= setInterval(this.#lookAtPatience, Math.min(500, this.#options.patienceMs));
      if (append.starts !== undefined) this.#send(this.#startLane, true);
      this.#schedule();
    });
  }

  /** What is sent is answered before; what is not is rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#gathering);
    clearTimeout(this.#held?.timer);
    if (this.#soon !== undefined) clearImmediate(this.#soon);
    this.#rest();
    await Promise.all([this.#lane.close(), this.#startLane.close(), this.#waiting]);
  }

  #schedule(): void {
    if (this.#soon !== undefined || this.#gathering !== undefined || this.#isClosed) return;
    if (this.#lane.inFlight === 0) {
      this.#soon = setImmediate(() => {
        this.#soon = undefined;
        this.#pump();
      });
    } else {
      this.#gathering = setTimeout(() => {
        this.#gathering = undefined;
        this.#pump();
      }, gatherMs);
    }
  }

  #pump(): void {
    if (this.#isClosed) return;
    this.#waitForLongestHeld();
    this.#send(this.#startLane, true);
    while (this.#lane.inFlight < statementsInFlight && this.#send(this.#lane, false)) continue;
  }

  /** False: there was nothing to be sent, or nowhere to. */
  #send(lane: WriterLane, areStarts: boolean): boolean {
    if (performance.now() < this.#pausedUntilMs) return false;
    if (!lane.isOpen) {
      if (!this.#queues.isEmpty) lane.open();
      return false;
    }
    const [writes, dueAtMs] = this.#queues.take(areStarts, atOnce);
    if (dueAtMs !== undefined) this.#pumpAt(dueAtMs);
    if (writes.length > 0) void this.#write(lane, writes);
    return writes.length > 0;
  }

  /** Of those whose heads are locked the first one may be sent again. */
  #pumpAt(dueAtMs: number): void {
    if (this.#held !== undefined && this.#held.dueAtMs <= dueAtMs) return;
    clearTimeout(this.#held?.timer);
    const timer = setTimeout(
      () => {
        this.#held = undefined;
        this.#pump();
      },
      Math.ceil(dueAtMs - performance.now()),
    );
    this.#held = { timer, dueAtMs };
  }

  async #write(lane: WriterLane, writes: readonly QueuedWrite[]): Promise<void> {
    try {
      const outcomes = await lane.append(writes);
      const doubtful: QueuedWrite[] = [];
      for (const write of writes) {
        const outcome = outcomes.get(write) ?? 'refused';
        if (outcome === 'held') this.#queues.hold(write);
        else if (outcome === 'refused' && write.isRepeated) doubtful.push(write);
        else this.#queues.settle(write, outcome === 'written');
      }
      if (doubtful.length > 0) await this.#settleDoubtful(lane, doubtful);
    } catch (error) {
      this.#onFailure(lane.failureOf(error), writes, error);
    }
    this.#rest();
    this.#pump();
  }

  async #settleDoubtful(lane: WriterLane, writes: readonly QueuedWrite[]): Promise<void> {
    const standing = await lane.standing(writes);
    for (const write of writes) this.#queues.settle(write, standing.has(write));
  }

  #onFailure(failure: ReturnType<WriterLane['failureOf']>, writes: readonly QueuedWrite[], error: unknown): void {
    for (const write of writes.toReversed()) {
      // Some are settled already, where the look at those in doubt has failed.
      if (!this.#queues.putBack(write)) continue;
      if (this.#isClosed || (failure === 'wrong' && writes.length === 1)) this.#queues.reject(write, error);
      write.isRepeated ||= failure === 'unknown';
      write.isAlone ||= failure === 'wrong';
    }
    if (failure !== 'wrong') this.#pause();
  }

  /** The server cannot take anything just now, or is not there. */
  #pause(): void {
    this.#pausedUntilMs = performance.now() + pauseMs;
    setTimeout(() => this.#pump(), pauseMs + 1);
  }

  /** One at a time: the others are asked for again meanwhile, and whoever is through is no longer waited for. */
  #waitForLongestHeld(): void {
    if (this.#waiting !== undefined) return;
    const write = this.#queues.takeLongestHeld(heldForMs);
    if (write === undefined) return;
    this.#waiting = this.#wait(write).finally(() => {
      this.#waiting = undefined;
      this.#rest();
      this.#pump();
    });
  }

  async #wait(write: QueuedWrite): Promise<void> {
    try {
      const { turn, epoch, rows, recording, starts } = write;
      const isWritten = await this.#options.appendWaiting({ turn, epoch, rows, recording, ...(starts === undefined ? {} : { starts }) });
      // Of one that may stand already the lane asks, which refuses it as well.
      if (isWritten || !write.isRepeated) this.#queues.settle(write, isWritten);
      else this.#queues.release(write);
    } catch (error) {
      const failure = error instanceof StoreBusyError ? 'undone' : this.#lane.failureOf(error);
      this.#queues.hold(write);
      write.isRepeated ||= failure === 'unknown';
      if (this.#isClosed || failure === 'wrong') this.#queues.reject(write, error);
    }
  }

  readonly #lookAtPatience = (): void => {
    this.#queues.rejectSince(performance.now() - this.#options.patienceMs);
    this.#rest();
  };

  /** With nothing to write there is nobody to be patient; and what is put back after the end is not sent any more. */
  #rest(): void {
    if (this.#isClosed) this.#queues.rejectAll(new Error('the store was closed'));
    if (!this.#queues.isEmpty) return;
    clearInterval(this.#impatience);
    this.#impatience = undefined;
  }
}
