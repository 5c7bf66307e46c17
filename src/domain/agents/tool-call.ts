/** A call of a worker's tool, as the database keeps it: what was asked for, how often it ran, and what came of it. Pure. */
import type { PricedUsage } from '../turn/spent.ts';
import type { ToolRun } from './tool-run.ts';
import type { ParentCall } from '../turn/turn.ts';
import type { WorkerCall, WorkerCallEnd } from './worker-call.ts';

export interface ToolCallRow extends WorkerCall {
  readonly turn: string;
  /** Of the turn's calls, from 0. */
  readonly number: number;
  /** The step that is to tell the model what came of it. */
  readonly step: number;
  /** Of its item in the output; null: it is not shown yet. */
  readonly position: number | null;
  /** How often it was begun. */
  readonly runs: number;
  /** Each of its runs, the first first; absent where an older version made them, and where there are none. */
  readonly attempts?: readonly ToolRun[];
  readonly startedAtMs?: number;
  readonly endedAtMs?: number;
  readonly outcome?: ToolCallOutcome;
  /** What its tool last said of how far it is. */
  readonly progress?: string;
  /** Tokens of the turn that carried it out, where an agent was called. */
  readonly usage?: PricedUsage;
}

/** `unknown`: the process that ran it was lost. `cut_off`: its turn ended before it. */
export type ToolCallOutcome = 'completed' | 'failed' | 'unknown' | 'cut_off';

/** A call that is to be made, when its step ends. */
export type NewToolCall = Pick<ToolCallRow, 'number' | 'position'> & WorkerCall;

/** How a call ended, for the database. */
export interface ToolCallEnd {
  readonly outcome: Exclude<ToolCallOutcome, 'cut_off'>;
  /** All of it, where the model is told less. */
  readonly result: string;
  readonly end: WorkerCallEnd;
  /** Tokens of the turn that carried it out, where an agent was called. */
  readonly usage?: PricedUsage;
}

/** @returns the key that every run of one call has, and no other call */
export function idempotencyKeyOf({ turn, number }: Pick<ToolCallRow, 'turn' | 'number'>): string {
  return `${turn}/${number}`;
}

/** The call that has this key. */
export function callOfKey(key: string): ParentCall {
  const slash = key.lastIndexOf('/');
  return { turn: key.slice(0, slash), number: Number(key.slice(slash + 1)) };
}

/**
 * A request for an approval that an input answers, either way. It stays answered as long as it is there itself, unless the turn
 * that answered it ended before the call had begun.
 */
export interface AnsweredRequest {
  readonly id: string;
  /** The turn whose answer has it. */
  readonly askedBy: string;
}

/** A request for an approval that was answered. */
export interface ApprovalRow {
  /** Of the request. */
  readonly id: string;
  /** The turn whose answer has it. */
  readonly askedBy: string;
  /** The turn whose input answered it. Absent: an older version noted it. */
  readonly answer?: { readonly turn: string; readonly atMs: number; readonly isApproved: boolean };
}
