/**
 * The workflow of a turn: one run is one turn.
 *
 * Turns of a session share the workflow id `session/<id>`, so Temporal itself lets one run at a time. Turns that arrive
 * meanwhile are in `waiting`, and the run continues as new into the next: idle sessions cost nothing, and a history is
 * one turn to debug. Runs in Temporal's sandbox: imports only domain, contract and `@temporalio/workflow`.
 */
import { CancellationScope, CancelledFailure, continueAsNew, defineSignal, setHandler } from '@temporalio/workflow';
import { type AgentTurnInput, cancelSignal, submittedSignal } from '../contract/workflows.ts';
import type { TurnStatus } from '../domain/turn-state.ts';
import { runTurn } from './run-turn.ts';

/** A turn of this session was accepted. It may come twice for one turn: a known one is passed over. */
export const submitted = defineSignal<[turn: string]>(submittedSignal);
/** Stop this turn, if it is the one that runs. */
export const cancel = defineSignal<[turn: string]>(cancelSignal);

/**
 * A turn, and then those of its session that arrived meanwhile.
 *
 * @example
 *     // In the workflow code that a worker bundles
 *     export { agentTurn } from 'turnkeep/workflow';
 */
export async function agentTurn(input: AgentTurnInput): Promise<TurnStatus> {
  const waiting = [...(input.waiting ?? [])];
  const running = new CancellationScope();
  setHandler(submitted, (turn) => {
    if (turn !== input.turn && !waiting.includes(turn)) waiting.push(turn);
  });
  setHandler(cancel, (turn) => {
    if (turn === input.turn) running.cancel();
  });

  const settled = await runTurn(input.turn, running);

  const next = waiting.shift();
  if (next !== undefined) return await continueAsNew<typeof agentTurn>({ turn: next, waiting });
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('the turn was cancelled');
  return settled;
}
