/**
 * The workflow of a turn: one run is one turn, under the id `turn/<id>`. The order of a session is the database's: a turn is
 * started once it may run. Runs in Temporal's sandbox: imports only domain, contract and `@temporalio/workflow`.
 */
import {
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  defineSignal,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import { type AgentTurnInput, cancelSignal, type TurnMemo } from '../contract/workflows.ts';
import type { TurnStatus } from '../domain/turn-state.ts';
import { runTurn } from './run-turn.ts';

/** Stop the turn; what was shown stays. */
export const cancel = defineSignal(cancelSignal);

/**
 * A turn, from its first request to its end.
 *
 * @example
 *     // In the workflow code that a worker bundles
 *     export { agentTurn } from 'turnkeep/workflow';
 */
export async function agentTurn(input: AgentTurnInput): Promise<TurnStatus> {
  const running = new CancellationScope();
  setHandler(cancel, () => {
    running.cancel();
  });
  const settled = await runTurn(input, running, async (rest) => {
    // Of a turn with very many steps: the history begins anew, and its viewers see nothing of it.
    if (workflowInfo().continueAsNewSuggested && !running.consideredCancelled) await continueAsNew<typeof agentTurn>({ ...input, ...rest });
  });
  const { status, code } = settled;
  if (input.tellsEnd === true && status !== 'completed') {
    upsertMemo({ status, ...(code === null ? {} : { code }) } satisfies TurnMemo);
  }
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('the turn was cancelled');
  return settled;
}
