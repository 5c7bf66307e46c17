/**
 * Appends of all streams of a process, in one statement every few milliseconds (group commit). Each turn's own are written in the
 * order they came, one write under way at a time; the writes of different turns wait for nobody's answer.
 *
 * Every write is its own commit of the server, synced to disk there. When its answer is lost, it may stand or not: it is sent
 * again. A head that it has moved already refuses it then, and its rows, which are there byte for byte, prove that it stands.
 */
import type pg from 'pg';
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { RecordingPart } from '../../domain/turn/recording.ts';
import type { Append } from '../ports/journal.ts';
import { StoreBusyError } from '../ports/store.ts';
import type { Write } from './journal-statements.ts';
import { WriterLane } from './writer-lane.ts';

/** How long appends are gathered for, while others are under way. */
const gatherMs = 3;
const statementsInFlight = 3;
/** Of one statement, so that nobody waits long behind it. The write that reaches it is the last. */
const statementBytes = 524_288;
const writesAtOnce = 500;
/** Appends of a turn that wait behind another one of it are one write, up to so many bytes. */
const writeBytes = 262_144;
const pauseMs = 50;

export interface JournalWriterOptions {
  /** Two connections: one for the first event of steps, which must not wait behind what others have to say. */
  readonly config: pg.ClientConfig;
  /** Where the tables are. */
  readonly schema: string;
  /** Statements are prepared once on each connection. */
  readonly prepare: boolean;
  /** What time it is by the clock of the database, where that is known, ms since the epoch; otherwise the server says. */
  readonly now?: () => number | undefined;
  /** A server that does not answer for so long is taken for gone, and is connected to again: longer than a statement may take. 20 s where nothing is said. */
  readonly silenceMs?: number;
  /** An append that could not be sent for so long is `StoreBusyError`. 5 s where nothing is said. */
  readonly patienceMs?: number;
  /** Of all that wait, and of one turn: more is `StoreBusyError` at once. 64 MiB and 8 MiB where nothing is said. */
  readonly maxBytes?: number;
  readonly maxTurnBytes?: number;
}

interface Waiter {
  readonly resolve: (isWritten: boolean) => void;
  readonly reject: (error: unknown) => void;
}

interface QueuedWrite extends Write {
  readonly rows: JournalRow[];
  readonly recording: RecordingPart[];
  starts: Append['starts'];
  bytes: number;
  readonly sinceMs: number;
  readonly waiters: Waiter[];
  /** It may stand already. */
  isRepeated: boolean;
  /** One of those it was sent with makes the statement fail: each is sent by itself. */
  isAlone: boolean;
}

/** What one turn has to write. */
interface TurnQueue {
  readonly writes: QueuedWrite[];
  isInFlight: boolean;
  bytes: number;
}

export class JournalWriter {
  readonly #options: JournalWriterOptions & Required<Omit<JournalWriterOptions, 'now'>>;
  readonly #turns = new Map<string, TurnQueue>();
  readonly #lane: WriterLane;
  readonly #startLane: WriterLane;
  #bytes = 0;
  #gathering: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;
  #impatience: NodeJS.Timeout | undefined;
  #pausedUntilMs = 0;
  #isClosed = false;

  constructor(options: JournalWriterOptions) {
    this.#options = { silenceMs: 20_000, patienceMs: 5_000, maxBytes: 67_108_864, maxTurnBytes: 8_388_608, ...options };
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
    return this.#bytes;
  }

  /**
   * See `JournalStore.append`: resolves once it is committed and on disk, or refused.
   * @throws `StoreBusyError` where it has not been sent, for `patienceMs` or because too much waits; nothing was written
   */
  append(append: Append): Promise<boolean> {
    if (this.#isClosed) return Promise.reject(new Error('the store was closed'));
    const bytes = sizeOf(append);
    const queued = this.#turns.get(append.turn)?.bytes ?? 0;
    const { maxBytes, maxTurnBytes } = this.#options;
    if ((this.#bytes > 0 && this.#bytes + bytes > maxBytes) || (queued > 0 && queued + bytes > maxTurnBytes)) {
      return Promise.reject(new StoreBusyError('too much waits to be written to the journals'));
    }
    return new Promise((resolve, reject) => {
      this.#add(append, bytes, { resolve, reject });
    });
  }

  /** What is sent is answered before; what is not is rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#gathering);
    clearInterval(this.#impatience);
    if (this.#soon !== undefined) clearImmediate(this.#soon);
    for (const queue of this.#turns.values()) {
      for (const write of queue.writes.splice(0)) this.#reject(write, queue, new Error('the store was closed'));
    }
    await Promise.all([this.#lane.close(), this.#startLane.close()]);
  }

  #add({ turn, epoch, rows, starts, recording = [] }: Append, bytes: number, waiter: Waiter): void {
    const queue = this.#turns.get(turn) ?? { writes: [], isInFlight: false, bytes: 0 };
    this.#turns.set(turn, queue);
    queue.bytes += bytes;
    this.#bytes += bytes;
    const last = queue.writes.at(-1);
    const isNext = last?.epoch === epoch && last.rows.at(-1)?.seq === (rows[0]?.seq ?? -1) - 1;
    if (last !== undefined && isNext && isOpenFor(last, bytes, starts)) {
      last.rows.push(...rows);
      last.recording.push(...recording);
      last.starts ??= starts;
      last.bytes += bytes;
      last.waiters.push(waiter);
    } else {
      const write = { turn, epoch, rows: [...rows], recording: [...recording], starts, bytes, waiters: [waiter] };
      queue.writes.push({ ...write, sinceMs: performance.now(), isRepeated: false, isAlone: false });
    }
    this.#impatience ??= setInterval(this.#lookAtPatience, Math.min(500, this.#options.patienceMs));
    if (starts !== undefined) this.#send(this.#startLane, true);
    this.#schedule();
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
    this.#send(this.#startLane, true);
    while (this.#lane.inFlight < statementsInFlight && this.#send(this.#lane, false)) continue;
  }

  /** False: there was nothing to be sent, or nowhere to. */
  #send(lane: WriterLane, areStarts: boolean): boolean {
    if (performance.now() < this.#pausedUntilMs) return false;
    const writes: QueuedWrite[] = [];
    let bytes = 0;
    for (const [turn, queue] of this.#turns) {
      const [write] = queue.writes;
      if (write === undefined || queue.isInFlight || areStarts !== (write.starts !== undefined)) continue;
      if (!lane.isOpen) {
        lane.open();
        return false;
      }
      if (write.isAlone && writes.length > 0) continue;
      writes.push(write);
      bytes += write.bytes;
      queue.isInFlight = true;
      queue.writes.shift();
      // Whoever has had its turn comes last the next time.
      this.#turns.delete(turn);
      this.#turns.set(turn, queue);
      if (write.isAlone || bytes >= statementBytes || writes.length >= writesAtOnce) break;
    }
    if (writes.length > 0) void this.#write(lane, writes);
    return writes.length > 0;
  }

  async #write(lane: WriterLane, writes: readonly QueuedWrite[]): Promise<void> {
    try {
      const written = await lane.append(writes);
      for (const write of writes) if (written.has(write)) this.#settle(write, true);
      const refused = writes.filter((write) => !written.has(write));
      for (const write of refused) if (!write.isRepeated) this.#settle(write, false);
      const doubtful = refused.filter(({ isRepeated }) => isRepeated);
      if (doubtful.length > 0) await this.#settleDoubtful(lane, doubtful);
    } catch (error) {
      this.#onFailure(lane.failureOf(error), writes, error);
    }
    this.#pump();
  }

  async #settleDoubtful(lane: WriterLane, writes: readonly QueuedWrite[]): Promise<void> {
    const standing = await lane.standing(writes);
    for (const write of writes) this.#settle(write, standing.has(write));
  }

  #onFailure(failure: ReturnType<WriterLane['failureOf']>, writes: readonly QueuedWrite[], error: unknown): void {
    for (const write of writes.toReversed()) {
      const queue = this.#turns.get(write.turn);
      // Some are settled already, where the look at those in doubt has failed.
      if (queue === undefined || write.waiters.length === 0) continue;
      queue.isInFlight = false;
      if (this.#isClosed || (failure === 'wrong' && writes.length === 1)) {
        this.#reject(write, queue, error);
        continue;
      }
      write.isRepeated ||= failure === 'unknown';
      write.isAlone ||= failure === 'wrong';
      queue.writes.unshift(write);
    }
    if (failure !== 'wrong') this.#pause();
  }

  /** The server cannot take anything just now, or is not there. */
  #pause(): void {
    this.#pausedUntilMs = performance.now() + pauseMs;
    setTimeout(() => this.#pump(), pauseMs + 1);
  }

  /** Of one that was sent. */
  #settle(write: QueuedWrite, isWritten: boolean): void {
    for (const { resolve } of write.waiters.splice(0)) resolve(isWritten);
    const queue = this.#turns.get(write.turn);
    if (queue === undefined) return;
    queue.isInFlight = false;
    this.#forget(write, queue);
  }

  /** Of one that is in no queue (any more). */
  #reject(write: QueuedWrite, queue: TurnQueue, error: unknown): void {
    for (const { reject } of write.waiters.splice(0)) reject(error);
    this.#forget(write, queue);
  }

  #forget(write: QueuedWrite, queue: TurnQueue): void {
    this.#bytes -= write.bytes;
    queue.bytes -= write.bytes;
    if (queue.writes.length > 0 || queue.isInFlight) return;
    this.#turns.delete(write.turn);
    if (this.#turns.size > 0) return;
    clearInterval(this.#impatience);
    this.#impatience = undefined;
  }

  /**
   * Those that nobody has sent are given back, and with them what follows them in their turn: it would be refused. One that may
   * stand is waited for: to be told that it does not would be false.
   */
  readonly #lookAtPatience = (): void => {
    const dueMs = performance.now() - this.#options.patienceMs;
    for (const queue of this.#turns.values()) {
      const first = queue.writes.findIndex(({ sinceMs, isRepeated }) => sinceMs < dueMs && !isRepeated);
      if (first === -1) continue;
      for (const write of queue.writes.splice(first)) this.#reject(write, queue, new StoreBusyError('the database takes no writes'));
    }
  };
}

function isOpenFor(write: QueuedWrite, bytes: number, starts: Append['starts']): boolean {
  const mayStart = starts === undefined || write.starts === undefined;
  return !write.isRepeated && !write.isAlone && mayStart && write.bytes + bytes <= writeBytes;
}

function sizeOf({ rows, recording = [] }: Append): number {
  const chars = rows.reduce((sum, { data, type }) => sum + data.length + type.length, 0);
  return recording.reduce((sum, { data }) => sum + data.byteLength, chars) + 1;
}
