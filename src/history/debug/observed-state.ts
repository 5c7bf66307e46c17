/**
 * Takes the place of `domain/turn/turn-state.ts` in the bundle of `turnkeep debug`: the same functions, and what they were given and
 * gave is told. Runs in Temporal's sandbox: imports nothing but domain and `@temporalio/workflow`.
 */
import { proxySinks, type Sinks, workflowInfo } from '@temporalio/workflow';
import * as turn from '../../domain/turn/turn-state.ts';

// What is named below hides the function of the same name.
export * from '../../domain/turn/turn-state.ts';

/** A call of `decide` or `evolve`. */
export type Observation = (
  | { readonly type: 'decided'; readonly state: turn.TurnState; readonly command: turn.TurnCommand }
  | { readonly type: 'evolved'; readonly state: turn.TurnState; readonly result: turn.TurnResult; readonly next: turn.TurnState }
) & {
  /** The number of the event that began the workflow task. */
  readonly historyLength: number;
};

export interface DebugSinks extends Sinks {
  readonly turnkeepDebug: { readonly observe: (observation: Observation) => void };
}

/** Set at the end of the bundle, see `breakAt`. */
const at = (globalThis as { readonly __TURNKEEP_DEBUG_AT__?: number }).__TURNKEEP_DEBUG_AT__;

const { turnkeepDebug } = proxySinks<DebugSinks>();
let hasStopped = false;

export function decide(state: turn.TurnState): turn.TurnCommand {
  if (!hasStopped && (at === undefined || (state.phase === 'ready' && state.step === at))) {
    hasStopped = true;
    // The caller is the loop of the workflow, in run-turn.ts; the next step leads into `decide`.
    // oxlint-disable-next-line no-debugger -- to stop here is what `turnkeep debug` is for
    debugger;
  }
  const command = turn.decide(state);
  turnkeepDebug.observe({ type: 'decided', state, command, historyLength: workflowInfo().historyLength });
  return command;
}

export function evolve(state: turn.TurnState, result: turn.TurnResult): turn.TurnState {
  const next = turn.evolve(state, result);
  turnkeepDebug.observe({ type: 'evolved', state, result, next, historyLength: workflowInfo().historyLength });
  return next;
}
