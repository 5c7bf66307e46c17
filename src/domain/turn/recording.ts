/**
 * What is kept of an attempt so that its turn can be run again: what came from the provider, and whatever else decided what
 * the journal says. Of a request nothing is kept but its address: what it asked is in the transcript.
 */
import type { ModelEvent, ModelFailure } from '../model.ts';

/** `wire`: the bytes as they came. `answers`: what was read of them, and no bytes. */
export type RecordMode = (typeof recordModes)[number];
export const recordModes = ['wire', 'answers', 'off'] as const;

/** A piece of the recording of one run of an attempt. A run is one claim: another process that goes on with the attempt has its own. */
export interface RecordingPart {
  readonly step: number;
  /** 0: the calls of tools before the first request of the step. */
  readonly attempt: number;
  /** Of the claim. */
  readonly epoch: number;
  /** From 0, without a gap. */
  readonly part: number;
  /** See `store/recordings/`. */
  readonly data: Uint8Array;
}

/**
 * A place in an answer. `chunk`: how many chunks of bytes (with `answers`: events) had been read, of all exchanges of the run.
 * `deltas`: how many deltas of the last of them had been taken in.
 */
export interface AnswerPlace {
  readonly chunk: number;
  readonly deltas: number;
}

/** What an exchange came to. */
export type ExchangeEnd =
  /** The body ended properly. */
  | { readonly how: 'ended' }
  /** Nothing more was wanted of it: the answer was over, or its reader had failed. */
  | { readonly how: 'left' }
  /** A deadline of ours closed it. */
  | { readonly how: 'deadline'; readonly deadline: string }
  /** We aborted it: an `abort` says why. */
  | { readonly how: 'aborted' }
  /** The connection broke, or never came to be. */
  | { readonly how: 'broken'; readonly cause: RecordedError };

/** An error with its causes: what a failure is told from. */
export interface RecordedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly cause?: RecordedError;
  /** Of an aggregate. */
  readonly errors?: readonly RecordedError[];
}

/** Times are ms since the run began. A run whose last entry is none of the ends was lost with its process. */
export type RecordingEntry =
  /** `next_seq`: of the journal, as the run found it. */
  | {
      readonly type: 'begin';
      readonly version: 1;
      readonly mode: RecordMode;
      readonly at_ms: number;
      readonly max_output_bytes: number;
      readonly turn_timeout_ms: number;
      readonly next_seq: number;
    }
  /** What decides how the answer is read: the provider's API, and the functions that a worker carries out. */
  | { readonly type: 'asked'; readonly api: string; readonly functions?: readonly RecordedFunction[] }
  /** What was left of the budgets. */
  | { readonly type: 'spending'; readonly spending: unknown }
  | { readonly type: 'request'; readonly at: number; readonly method: string; readonly url: string }
  | { readonly type: 'head'; readonly at: number; readonly status: number; readonly headers: Readonly<Record<string, string>> }
  | { readonly type: 'chunk'; readonly at: number; readonly bytes: Uint8Array }
  | ({ readonly type: 'end'; readonly at: number } & ExchangeEnd)
  /** `answers` alone. */
  | { readonly type: 'event'; readonly event: ModelEvent }
  /** `answers` alone: the answer ended with it. */
  | { readonly type: 'failure'; readonly failure: ModelFailure }
  /** The deltas up to this place went into the journal: where they were cut is decided by the clock. */
  | ({ readonly type: 'flush' } & AnswerPlace)
  /** A reading of a clock that the journal shows, ms. */
  | { readonly type: 'clock'; readonly ms: number }
  /** Our side gave the attempt up. `is_writing`: while that delta was being written, else while more was waited for. */
  | ({
      readonly type: 'abort';
      readonly at: number;
      readonly reason: string;
      readonly cause?: unknown;
      readonly is_writing: boolean;
    } & AnswerPlace)
  /** The user said more. */
  | ({ readonly type: 'steer'; readonly at: number; readonly is_writing: boolean } & AnswerPlace)
  /** The end was refused: a cancel had been accepted. */
  | { readonly type: 'cancel_requested' }
  /** The attempt has its end. */
  | { readonly type: 'done'; readonly at: number }
  /** The recording has grown past its limit: nothing more of the wire is in it. */
  | { readonly type: 'cut' };

/** A function that a worker carries out, as the model was offered it. */
export interface RecordedFunction {
  readonly name: string;
  readonly server_label: string;
  /** The tool's own name. */
  readonly tool: string;
  readonly parameters: unknown;
}
