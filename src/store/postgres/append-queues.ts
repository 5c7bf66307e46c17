/**
 * What waits to be written to the journals of a process: a queue for each turn, in the order its appends came. Appends that follow
 * each other are one write. Of each turn one write is under way at a time.
 */
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { RecordingPart } from '../../domain/turn/recording.ts';
import type { Append } from '../ports/journal.ts';
import { StoreBusyError } from '../ports/store.ts';
import type { Write } from './journal-statements.ts';

/** Appends of a turn that wait behind another one of it are one write, up to so many bytes. */
const writeBytes = 262_144;

/** A head that somebody else has locked is asked for again after as long as it has been locked so far, within these limits. */
const shortestHeldMs = 2;
const longestHeldMs = 50;

export interface Waiter {
  readonly resolve: (isWritten: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export interface QueuedWrite extends Write {
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
  /** Somebody else had locked its head when it was first sent, and has each time since: it is not sent before `untilMs`. */
  held: { readonly sinceMs: number; readonly untilMs: number } | undefined;
}

/** What one turn has to write. */
interface TurnQueue {
  readonly writes: QueuedWrite[];
  isInFlight: boolean;
  bytes: number;
}

export interface AppendQueueLimits {
  /** Of all that wait, and of one turn: more is `StoreBusyError` at once. */
  readonly maxBytes: number;
  readonly maxTurnBytes: number;
}

export class AppendQueues {
  readonly #limits: AppendQueueLimits;
  readonly #turns = new Map<string, TurnQueue>();
  #bytes = 0;

  constructor(limits: AppendQueueLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#turns.size === 0;
  }

  /** @returns false where too much waits: the waiter is not told */
  add({ turn, epoch, rows, starts, recording = [] }: Append, waiter: Waiter): boolean {
    const bytes = sizeOf(rows, recording);
    const queue = this.#turns.get(turn) ?? { writes: [], isInFlight: false, bytes: 0 };
    const { maxBytes, maxTurnBytes } = this.#limits;
    if ((this.#bytes > 0 && this.#bytes + bytes > maxBytes) || (queue.bytes > 0 && queue.bytes + bytes > maxTurnBytes)) return false;
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
      return true;
    }
    const write = { turn, epoch, rows: [...rows], recording: [...recording], starts, bytes, waiters: [waiter] };
    queue.writes.push({ ...write, sinceMs: performance.now(), isRepeated: false, isAlone: false, held: undefined });
    return true;
  }

  /**
   * The first write of each turn that has none under way: those that start a step, or those that do not. They are under way from
   * now on.
   * @returns the writes, and when the first of those may be sent whose head was locked, on the clock of `performance`
   */
  take(areStarts: boolean, { bytes, writes }: { readonly bytes: number; readonly writes: number }): [QueuedWrite[], number | undefined] {
    const nowMs = performance.now();
    const taken: QueuedWrite[] = [];
    let dueAtMs: number | undefined;
    let takenBytes = 0;
    for (const [turn, queue] of this.#turns) {
      const [write] = queue.writes;
      if (write === undefined || queue.isInFlight || areStarts !== (write.starts !== undefined)) continue;
      if (write.held !== undefined && write.held.untilMs > nowMs) {
        dueAtMs = Math.min(write.held.untilMs, dueAtMs ?? write.held.untilMs);
        continue;
      }
      if (write.isAlone && taken.length > 0) continue;
      taken.push(write);
      takenBytes += write.bytes;
      this.#depart(turn, queue);
      if (write.isAlone || takenBytes >= bytes || taken.length >= writes) break;
    }
    return [taken, dueAtMs];
  }

  /** The one whose head has been locked for the longest, and no less than so long. It is under way from now on. */
  takeLongestHeld(heldForMs: number): QueuedWrite | undefined {
    let sinceMs = performance.now() - heldForMs;
    let longest: { readonly turn: string; readonly queue: TurnQueue; readonly write: QueuedWrite } | undefined;
    for (const [turn, queue] of this.#turns) {
      const [write] = queue.writes;
      if (queue.isInFlight || write?.held === undefined || write.held.sinceMs > sinceMs) continue;
      sinceMs = write.held.sinceMs;
      longest = { turn, queue, write };
    }
    if (longest !== undefined) this.#depart(longest.turn, longest.queue);
    return longest?.write;
  }

  /** Whoever has had its turn comes last the next time. */
  #depart(turn: string, queue: TurnQueue): void {
    queue.isInFlight = true;
    queue.writes.shift();
    this.#turns.delete(turn);
    this.#turns.set(turn, queue);
  }

  /** It is the first of its turn again. False: it is settled, since others that it was sent with could be. */
  putBack(write: QueuedWrite): boolean {
    const queue = this.#turns.get(write.turn);
    if (queue === undefined || write.waiters.length === 0) return false;
    queue.isInFlight = false;
    queue.writes.unshift(write);
    return true;
  }

  /** Somebody else has locked its head. */
  hold(write: QueuedWrite): void {
    const nowMs = performance.now();
    const sinceMs = write.held?.sinceMs ?? nowMs;
    const pauseMs = Math.min(Math.max(nowMs - sinceMs, shortestHeldMs), longestHeldMs);
    write.held = { sinceMs, untilMs: nowMs + pauseMs };
    this.putBack(write);
  }

  /** Its head can be had, as far as is known. */
  release(write: QueuedWrite): void {
    write.held = undefined;
    this.putBack(write);
  }

  /** Of one that was under way. */
  settle(write: QueuedWrite, isWritten: boolean): void {
    for (const { resolve } of write.waiters.splice(0)) resolve(isWritten);
    const queue = this.#turns.get(write.turn);
    if (queue === undefined) return;
    queue.isInFlight = false;
    this.#forget(write, queue);
  }

  /** Of one that is put back. */
  reject(write: QueuedWrite, error: unknown): void {
    const queue = this.#turns.get(write.turn);
    const at = queue?.writes.indexOf(write) ?? -1;
    if (queue !== undefined && at !== -1) this.#reject(queue.writes.splice(at, 1), queue, error);
  }

  /** All that is not under way. */
  rejectAll(error: unknown): void {
    for (const queue of this.#turns.values()) this.#reject(queue.writes.splice(0), queue, error);
  }

  /**
   * Those that nobody has written since `dueMs` are given back, and with them what follows them in their turn: it would be refused.
   * One that may stand is waited for: to be told that it does not would be false.
   */
  rejectSince(dueMs: number): void {
    for (const queue of this.#turns.values()) {
      const first = queue.writes.findIndex(({ sinceMs, isRepeated }) => sinceMs < dueMs && !isRepeated);
      if (first !== -1) this.#reject(queue.writes.splice(first), queue, new StoreBusyError('the database takes no writes'));
    }
  }

  #reject(writes: readonly QueuedWrite[], queue: TurnQueue, error: unknown): void {
    for (const write of writes) {
      for (const { reject } of write.waiters.splice(0)) reject(error);
      this.#forget(write, queue);
    }
  }

  #forget(write: QueuedWrite, queue: TurnQueue): void {
    this.#bytes -= write.bytes;
    queue.bytes -= write.bytes;
    if (queue.writes.length === 0 && !queue.isInFlight) this.#turns.delete(write.turn);
  }
}

function isOpenFor(write: QueuedWrite, bytes: number, starts: Append['starts']): boolean {
  const mayStart = starts === undefined || write.starts === undefined;
  return !write.isRepeated && !write.isAlone && mayStart && write.bytes + bytes <= writeBytes;
}

function sizeOf(rows: readonly JournalRow[], recording: readonly RecordingPart[]): number {
  const chars = rows.reduce((sum, { data, type }) => sum + data.length + type.length, 0);
  return recording.reduce((sum, { data }) => sum + data.byteLength, chars) + 1;
}
