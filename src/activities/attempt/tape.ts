/**
 * What an attempt tells to whoever records it, and asks whoever runs it again from a recording: the few things that decide what
 * its journal says, and are not in what the provider sent.
 */
import type { Spending } from '../../domain/turn/budget.ts';
import type { ModelEvent } from '../../domain/model.ts';
import type { RecordingPart } from '../../domain/turn/recording.ts';
import type { WireTap } from '../../providers/provider.ts';
import type { TurnTools } from '../../tools/turn-tools.ts';

/** How the answer is read. */
export interface Asked {
  readonly api: string;
  readonly tools: TurnTools;
}

/** **Contract:** calls of a recorder throw nothing, and take no longer than a copy of what they are told. */
export interface Tape {
  /** Absent: nobody wants to know what passes over the wire. */
  readonly wire?: WireTap;
  /** What the request is read by. */
  asked(asked: Asked): void;
  /** What was left of the budgets. @returns what the attempt is to go by */
  spending(spending: Spending | undefined): Spending | undefined;
  /** What was read of the answer. */
  event(event: ModelEvent): void;
  /** What the answer ended with, where that is a failure. */
  failed(error: unknown): void;
  /** A delta is about to be written. */
  taken(): void;
  /** …and has been. */
  written(): void;
  /** A delta was added to those that wait. */
  merged(): void;
  /** How long those may go on waiting, ms: until now, or until something else writes them. */
  dueInMs(): number;
  /** They are being written. @param isTimed since the clock said so */
  flushed(isTimed: boolean): void;
  /** A reading of a clock that the journal shows, ms. @returns what the attempt is to go by */
  reading(ms: number): number;
  /** Resolves when the end of a call may be written: of several at once, one is first. @param place of the call in the output */
  callEnds(place: number): Promise<void>;
  /** What has been recorded, for the next write; nothing, where it is no time for it. @param isStart with the write that starts the step */
  take(isStart: boolean): readonly RecordingPart[];
  /** Is so much recorded that it is to be written, also where nothing else is? */
  readonly isLong: boolean;
  /** All that is left, for the write that ends the attempt. */
  end(): readonly RecordingPart[];
  /** That write was refused, since a cancel had been accepted. Another one follows. */
  cancelRequested(): void;
}

/** Deltas that come faster than this share an event: 40 events a second look like one stream to a reader. */
const mergeMs = 25;

/** Goes by the clock, and keeps nothing. */
export class ClockTape implements Tape {
  #lastWriteAt = 0;

  get isLong(): boolean {
    return false;
  }

  asked(_asked: Asked): void {}
  spending(spending: Spending | undefined): Spending | undefined {
    return spending;
  }
  event(_event: ModelEvent): void {}
  failed(_error: unknown): void {}
  taken(): void {}
  written(): void {}
  merged(): void {}
  dueInMs(): number {
    return this.#lastWriteAt + mergeMs - performance.now();
  }
  flushed(_isTimed: boolean): void {
    this.#lastWriteAt = performance.now();
  }
  reading(ms: number): number {
    return ms;
  }
  async callEnds(_place: number): Promise<void> {}
  take(_isStart: boolean): readonly RecordingPart[] {
    return [];
  }
  end(): readonly RecordingPart[] {
    return [];
  }
  cancelRequested(): void {}
}
