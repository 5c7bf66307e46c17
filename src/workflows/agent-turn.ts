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
import type { TurnRequest, TurnResult } from '../contract/own-turns.ts';
import type { TurnStatus } from '../domain/turn/turn-state.ts';
import { begin, endOf } from './own-turn.ts';
import { runToEnd } from './run-turn.ts';

/** Stop the turn; what was shown stays. */
export const cancel = defineSignal(cancelSignal);

/**
 * A turn, from its first request to its end: as a child of a workflow of one's own, with a history of its own, however many its
 * steps. See `runTurn`, which runs it in the history of its caller.
 *
 * @throws as `runTurn`
 * @example
 *     // In the workflow code that a worker bundles
 *     import { executeChild } from '@temporalio/workflow';
 *     import { agentTurn } from 'turnkeep/workflow';
 *
 *     export { agentTurn };
 *
 *     export async function ask(question: string): Promise<string> {
 *       const { outputText } = await executeChild(agentTurn, { args: [{ agent: 'clerk', input: question }] });
 *       return outputText;
 *     }
 */
export async function agentTurn(input: AgentTurnInput): Promise<TurnStatus>;
export async function agentTurn(input: TurnRequest): Promise<TurnResult>;
export async function agentTurn(input: AgentTurnInput | TurnRequest): Promise<TurnStatus | TurnResult> {
  const running = new CancellationScope();
  setHandler(cancel, () => {
    running.cancel();
  });
  const begun: AgentTurnInput = 'turn' in input ? input : await begin(input, running);
  const settled = await runToEnd(begun, running, {
    taskQueue: begun.taskQueue,
    beforeStep: async (rest) => {
      // Of a turn with very many steps: the history begins anew, and its viewers see nothing of it.
      if (workflowInfo().continueAsNewSuggested && !running.consideredCancelled) {
        await continueAsNew<(input: AgentTurnInput) => Promise<unknown>>({ ...begun, ...rest });
      }
    },
  });
  if (begun.isOwn === true) return endOf(begun, settled);
  const { status, code } = settled;
  if (begun.tellsEnd === true && status !== 'completed') {
    upsertMemo({ status, ...(code === null ? {} : { code }) } satisfies TurnMemo);
  }
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('the turn was cancelled');
  return settled;
}
