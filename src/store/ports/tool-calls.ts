/** The port to the calls of tools that workers run, for the attempts that carry them out. */
import type { AttemptEnd, AttemptKey } from '../../domain/turn/attempt.ts';
import type { HiddenReasoning } from '../../domain/response/hidden-reasoning.ts';
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { ApprovalRow, NewToolCall, ToolCallEnd, ToolCallRow } from '../../domain/agents/tool-call.ts';

/**
 * **Contract**, besides that of `Store`. What is written under an epoch is refused like an append under it: `false`, and
 * nothing is written (T7). A call is booked as begun, durably, before its tool runs: how often it may run is decided by that.
 */
export interface ToolCallStore {
  /**
   * Ends a step whose calls the next one carries out: the rows of the journal, the attempt's end, the calls, in one durable
   * commit. The lease ends, and the next step is due. `cancel_requested`: nothing is written, the turn is to be cancelled.
   */
  endStep(end: StepEnd): Promise<'ended' | 'refused' | 'cancel_requested'>;

  /** What the steps of a turn have ended with: see `StepEnd.hidden`. That of earlier turns is in their transcript. */
  readHiddenReasoning(turn: string): Promise<readonly HiddenReasoning[]>;

  /** Those that a step is to tell the model of, or all; in the order in which the model made them. */
  readToolCalls(turn: string, step?: number): Promise<readonly ToolCallRow[]>;

  /**
   * A piece of all that a call came to, in bytes of UTF-8, at most `limit` from `offset` on, with how many there are.
   * undefined: there is no such call, or it came to nothing (yet).
   */
  readToolResult(call: ToolCallKey, piece: { readonly offset: number; readonly limit: number }): Promise<ResultPiece | undefined>;

  /** The answered requests for approvals that this turn made, and those that it answered. */
  readApprovals(turn: string): Promise<readonly ApprovalRow[]>;

  /**
   * Refused too behind an accepted cancel (T5).
   * @param start.shown its item was not in the journal yet, and is by these rows
   */
  startToolCall(start: ToolCallStart): Promise<boolean>;

  /** Durably, with the rows that show it. Once: a call that has its end keeps it. */
  endToolCall(end: ToolCallEnd & ToolCallKey & { readonly epoch: number; readonly rows: readonly JournalRow[] }): Promise<boolean>;

  /** The newest word of a tool on how far it is. */
  noteProgress(call: ToolCallKey, progress: string): Promise<void>;

  /** Every call of the round has its end: the lease ends, and the request of this step is due. */
  endToolRound(round: { readonly turn: string; readonly epoch: number }): Promise<void>;
}

export interface ResultPiece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the whole result, in bytes. */
  readonly total: number;
}

export interface ToolCallKey {
  readonly turn: string;
  readonly number: number;
}

export interface ToolCallStart extends ToolCallKey {
  readonly epoch: number;
  readonly shown?: { readonly position: number; readonly rows: readonly JournalRow[] };
}

export interface StepEnd {
  readonly turn: string;
  readonly epoch: number;
  readonly rows: readonly JournalRow[];
  readonly attempt: AttemptKey & { readonly end: AttemptEnd };
  readonly calls: readonly NewToolCall[];
  /** The turn ends once these calls have: the client is asked for something beside them. */
  readonly isLast: boolean;
  /** Kept beside the items that it names, and handed out with the transcript alone. It goes with them, one by one or with the turn. */
  readonly hidden?: readonly HiddenReasoning[];
}
