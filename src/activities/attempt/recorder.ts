/**
 * Records a run of an attempt, to be run again: in memory, and in parts along with the writes that there are anyhow, so that a
 * short turn has no commit more, and a killed process loses a second of it at the most while it shows anything.
 */
import { performance } from 'node:perf_hooks';
import type { ModelEvent } from '../../domain/model.ts';
import type { Spending } from '../../domain/turn/budget.ts';
import type { AnswerPlace, RecordingEntry, RecordingPart, RecordMode } from '../../domain/turn/recording.ts';
import { ProviderError, type WireTap } from '../../providers/provider.ts';
import { RecordingBuffer } from '../../store/recordings/encode.ts';
import { AttemptAborted } from './abort-reason.ts';
import { type Asked, ClockTape } from './tape.ts';

export interface RecorderOptions {
  readonly mode: Exclude<RecordMode, 'off'>;
  readonly step: number;
  /** 0: of calls of tools. */
  readonly attempt: number;
  readonly epoch: number;
  /** Of the answer. The recording may have four times as many: past that, nothing more of the wire is kept (T14). */
  readonly maxOutputBytes: number;
  /** Of the turn. */
  readonly turnTimeoutMs: number;
  /** Of the next row of the journal, as the run found it. */
  readonly nextSeq: number;
  /** Aborts with an `AttemptAborted`. */
  readonly signal: AbortSignal;
  readonly steered: AbortSignal;
}

/** Between two parts. */
const partEveryMs = 1_000;
/** A part is packed once it has so many bytes: less than a millisecond of work. */
const partBytes = 65_536;
/** So many parts are not to wait for a write that may be far away: neither memory nor a transaction has room for any number (T14). */
const longParts = 4;
const timesOutput = 4;

export class Recorder extends ClockTape {
  readonly #options: RecorderOptions;
  readonly #buffer = new RecordingBuffer();
  readonly #beganAt = performance.now();
  /** Packed, and not written yet. */
  #ready: RecordingPart[] = [];
  /** Handed out with the write that ends the attempt, which may be refused. */
  #last: readonly RecordingPart[] = [];
  #parts = 0;
  #takenAt = 0;
  #bytesLeft: number;
  #hasEntries: boolean;
  /** Where the answer stands. */
  #chunk = 0;
  #deltas = 0;
  #isWriting = false;
  /** Of the last delta that was merged: its chunk, and how many of that chunk had been. */
  #mergedChunk = 0;
  #merged = 0;

  constructor(options: RecorderOptions) {
    super();
    this.#options = options;
    this.#bytesLeft = options.maxOutputBytes * timesOutput;
    // Of a round of tools nothing has to be known but what happened to it.
    this.#hasEntries = options.attempt > 0;
    const { mode, signal, steered, maxOutputBytes: max_output_bytes, turnTimeoutMs: turn_timeout_ms, nextSeq: next_seq } = options;
    this.#buffer.add({ type: 'begin', version: 1, mode, at_ms: Date.now(), max_output_bytes, turn_timeout_ms, next_seq });
    const onAbort = (): void => {
      const { reason, cause } = signal.reason instanceof AttemptAborted ? signal.reason : { reason: 'unknown', cause: undefined };
      // The cause of other aborts is an error of our own; that of a budget is a plain fact.
      const why = reason === 'over_budget' ? { cause } : {};
      this.#add({ type: 'abort', at: this.#at, reason, ...why, is_writing: this.#isWriting, ...this.#place });
    };
    const onSteer = (): void => this.#add({ type: 'steer', at: this.#at, is_writing: this.#isWriting, ...this.#place });
    signal.addEventListener('abort', onAbort, { once: true });
    steered.addEventListener('abort', onSteer, { once: true });
    if (signal.aborted) onAbort();
    if (steered.aborted) onSteer();
  }

  readonly wire: WireTap = {
    requested: (request) => {
      this.#add({ type: 'request', at: this.#at, ...request });
    },
    headed: (status, headers) => {
      this.#add({ type: 'head', at: this.#at, status, headers });
    },
    read: (chunk) => {
      if (this.#options.mode === 'answers') return;
      this.#next();
      if (this.#hasRoomFor(chunk.length)) this.#buffer.chunk(this.#at, chunk);
      this.#packIfLong();
    },
    ended: (end) => {
      this.#add({ type: 'end', at: this.#at, ...end });
    },
  };

  override asked({ api, tools }: Asked): void {
    const functions = tools.functions.map(({ name, parameters }) => {
      const { serverLabel = '', name: tool = name } = tools.called(name) ?? {};
      return { name, server_label: serverLabel, tool, parameters };
    });
    this.#add({ type: 'asked', api, ...(functions.length === 0 ? {} : { functions }) });
  }

  override spending(spending: Spending | undefined): Spending | undefined {
    if (spending !== undefined) this.#add({ type: 'spending', spending });
    return spending;
  }

  override event(event: ModelEvent): void {
    if (this.#options.mode !== 'answers') return;
    this.#next();
    const entry = { type: 'event', event } as const;
    if (this.#hasRoomFor(event.type === 'delta' ? event.delta.text.length : 0)) this.#buffer.add(entry);
    this.#packIfLong();
  }

  override failed(error: unknown): void {
    if (this.#options.mode === 'answers' && error instanceof ProviderError) this.#add({ type: 'failure', failure: error.failure });
  }

  override taken(): void {
    this.#deltas += 1;
    this.#isWriting = true;
  }

  override written(): void {
    this.#isWriting = false;
  }

  override merged(): void {
    if (this.#mergedChunk !== this.#chunk) this.#merged = 0;
    this.#mergedChunk = this.#chunk;
    this.#merged += 1;
  }

  override flushed(isTimed: boolean): void {
    super.flushed(isTimed);
    if (isTimed) this.#buffer.flush(this.#mergedChunk, this.#merged);
  }

  override reading(ms: number): number {
    this.#add({ type: 'clock', ms });
    return ms;
  }

  override take(isStart: boolean): readonly RecordingPart[] {
    const isDue = isStart || this.#ready.length > 0 || performance.now() - this.#takenAt >= partEveryMs;
    return isDue ? this.#takeAll() : [];
  }

  override get isLong(): boolean {
    return this.#ready.length >= longParts;
  }

  override end(): readonly RecordingPart[] {
    if (!this.#hasEntries) return [];
    this.#add({ type: 'done', at: this.#at });
    this.#last = this.#takeAll();
    return this.#last;
  }

  override cancelRequested(): void {
    this.#ready.unshift(...this.#last);
    this.#last = [];
    this.#add({ type: 'cancel_requested' });
  }

  get #at(): number {
    return Math.round(performance.now() - this.#beganAt);
  }

  get #place(): AnswerPlace {
    return { chunk: this.#chunk, deltas: this.#deltas };
  }

  #next(): void {
    this.#chunk += 1;
    this.#deltas = 0;
    this.#hasEntries = true;
  }

  #add(entry: Exclude<RecordingEntry, { type: 'chunk' | 'flush' }>): void {
    this.#hasEntries = true;
    this.#buffer.add(entry);
    this.#packIfLong();
  }

  #hasRoomFor(bytes: number): boolean {
    if (this.#bytesLeft < 0) return false;
    this.#bytesLeft -= bytes + 3;
    if (this.#bytesLeft < 0) this.#add({ type: 'cut' });
    return this.#bytesLeft >= 0;
  }

  #packIfLong(): void {
    if (this.#buffer.length >= partBytes) this.#pack();
  }

  #pack(): void {
    if (this.#buffer.length === 0) return;
    const { step, attempt, epoch } = this.#options;
    this.#ready.push({ step, attempt, epoch, part: this.#parts, data: this.#buffer.take() });
    this.#parts += 1;
  }

  #takeAll(): readonly RecordingPart[] {
    this.#pack();
    this.#takenAt = performance.now();
    const parts = this.#ready;
    this.#ready = [];
    return parts;
  }
}
