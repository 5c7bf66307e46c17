/**
 * The state of a turn, without I/O: `decide` names the next command, `evolve` applies its result.
 * The workflow runs this; a replay and a timeline rebuild it from the same results.
 *
 *   ready ─streamModel─▶ settled
 *    ▲  │
 *    ├──┘ with calls of tools: the next step
 *    │  │
 *    │  ├─ busy ─▶ waiting ─ (durable timer) ─▶ ready
 *    └──┘            │
 *       └─ failed, cancelled ─▶ ending ─settleTurn─▶ settled
 */
import type { Failure } from '../failure.ts';
import { type BusyHint, busyWaitMs, requestsPerStep } from './retry-policy.ts';
import type { SettledStatus } from '../response/response.ts';

/** The outcome that is asked of `settleTurn` where `streamModel` has sealed nothing. */
export type RequestedOutcome = { readonly status: 'cancelled' } | { readonly status: 'failed'; readonly failure: Failure };

export type TurnState =
  | { readonly phase: 'ready'; readonly step: number; readonly requestsMade: number }
  | { readonly phase: 'waiting'; readonly step: number; readonly requestsMade: number; readonly waitMs: number }
  | { readonly phase: 'ending'; readonly requested: RequestedOutcome }
  | { readonly phase: 'settled'; readonly status: SettledStatus; readonly code: string | null };

export type TurnCommand =
  | { readonly type: 'streamModel'; readonly step: number; readonly requestsLeft: number; readonly requestsMade: number }
  | { readonly type: 'wait'; readonly waitMs: number }
  | { readonly type: 'settleTurn'; readonly requested: RequestedOutcome }
  | { readonly type: 'close'; readonly status: SettledStatus; readonly code: string | null };

export type TurnResult =
  | { readonly type: 'waited' }
  | { readonly type: 'stepEnded'; readonly step: StepResult }
  | { readonly type: 'settled'; readonly settled: TurnStatus }
  | { readonly type: 'busy'; readonly failure: Failure; readonly hint: BusyHint; readonly requestsMade: number }
  | { readonly type: 'failed'; readonly failure: Failure }
  /** Temporal's attempts were spent on workers that never answered, dead or frozen. */
  | { readonly type: 'lost' }
  | { readonly type: 'cancelled' };

/** The end that a turn has, whoever wrote it (T6). */
export interface TurnStatus {
  readonly status: SettledStatus;
  /** The `error.code`; null unless the turn failed. */
  readonly code: string | null;
}

/** What a step came to. `tool_calls`: the next step carries them out, and tells the model what came of them. */
export type StepResult = { readonly type: 'final'; readonly turn: TurnStatus } | { readonly type: 'tool_calls' };

/** @param step where a run goes on from: 1-based */
export function turnAt(step: number): TurnState {
  return { phase: 'ready', step, requestsMade: 0 };
}

export function decide(state: TurnState): TurnCommand {
  switch (state.phase) {
    case 'ready':
      return {
        type: 'streamModel',
        step: state.step,
        requestsLeft: requestsPerStep - state.requestsMade,
        requestsMade: state.requestsMade,
      };
    case 'waiting':
      return { type: 'wait', waitMs: state.waitMs };
    case 'ending':
      return { type: 'settleTurn', requested: state.requested };
    case 'settled':
      return { type: 'close', status: state.status, code: state.code };
  }
}

export function evolve(state: TurnState, result: TurnResult): TurnState {
  switch (result.type) {
    case 'waited':
      return { phase: 'ready', step: stepOf(state), requestsMade: requestsOf(state) };
    case 'stepEnded':
      return result.step.type === 'final' ? { phase: 'settled', ...result.step.turn } : turnAt(stepOf(state) + 1);
    case 'settled':
      return { phase: 'settled', ...result.settled };
    case 'busy': {
      const waitMs = busyWaitMs(result.hint, result.requestsMade);
      return waitMs === undefined
        ? { phase: 'ending', requested: { status: 'failed', failure: result.failure } }
        : { phase: 'waiting', step: stepOf(state), requestsMade: result.requestsMade, waitMs };
    }
    case 'failed':
      return { phase: 'ending', requested: { status: 'failed', failure: result.failure } };
    case 'lost':
      // How many of them made a request, and whether one was answered, the next claim knows from the journal (T2, T3).
      return { phase: 'ready', step: stepOf(state), requestsMade: requestsOf(state) };
    case 'cancelled':
      return { phase: 'ending', requested: { status: 'cancelled' } };
  }
}

function stepOf(state: TurnState): number {
  return state.phase === 'ready' || state.phase === 'waiting' ? state.step : 1;
}

function requestsOf(state: TurnState): number {
  return state.phase === 'ready' || state.phase === 'waiting' ? state.requestsMade : 0;
}
