/**
 * Turns in workflows of somebody's own: taken in by an activity, carried out by the loop of our own workflow, and read when they
 * have ended. Runs in Temporal's sandbox: imports only domain, contract and `@temporalio/workflow`.
 */
import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  proxyActivities,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { type TurnActivities, wrongDatabase } from '../contract/activities.ts';
import type { TurnRequest, TurnResult } from '../contract/own-turns.ts';
import type { AgentTurnInput } from '../contract/workflows.ts';
import type { TurnStatus } from '../domain/turn/turn-state.ts';
import { quickActivities, runToEnd } from './run-turn.ts';

/**
 * An id for a turn that is to be run, `resp_…`: the same in every replay. For whoever is to know it before there is the turn, such
 * as the parent of an `agentTurn`; where the turn is to be there, `onAccepted` of `runTurn` tells it.
 *
 * @example
 *     import { startChild } from '@temporalio/workflow';
 *     import { agentTurn, newTurnId } from 'turnkeep/workflow';
 *
 *     export { agentTurn };
 *
 *     export async function ask(question: string): Promise<string> {
 *       const id = newTurnId();
 *       const child = await startChild(agentTurn, { workflowId: `ask/${id}`, args: [{ id, agent: 'clerk', input: question }] });
 *       const { outputText } = await child.result();
 *       return outputText;
 *     }
 */
export function newTurnId(): string {
  return `resp_${uuid4().replaceAll('-', '')}`;
}

export interface RunTurnRequest extends TurnRequest {
  /** Called once the turn is in the database, with its id: from then on others may follow it, while it waits for its session too. */
  readonly onAccepted?: ((id: string) => void) | undefined;
}

/**
 * Runs a turn inside a workflow of one's own, and resolves once it has ended, however it has: `status` says so. It is a turn like
 * any other: followed, cancelled and listed over HTTP by its id, kept in the database, with its tools and retries. Its scope's
 * cancel stops it, at the socket; what was said stays. Each step costs the history 6 events at the most; for hundreds of steps
 * there is `agentTurn`, as a child. What is asked and answered stands in the history of the caller.
 *
 * @throws {CancelledFailure} once the turn has ended, where its scope was cancelled
 * @throws {ApplicationFailure} `turn_refused`: it cannot be taken in, and the message says why; `result_too_large`: the answer is
 * over 1.5 MB long, and is to be had over HTTP
 * @example
 *     import { runTurn } from 'turnkeep/workflow';
 *
 *     export async function research(topics: readonly string[]): Promise<string> {
 *       const found = await Promise.all(topics.map((topic) => runTurn({ agent: 'researcher', input: topic })));
 *       const input = found.map(({ outputText }) => outputText).join('\n\n');
 *       const { outputText } = await runTurn({ agent: 'writer', input });
 *       return outputText;
 *     }
 */
export async function runTurn({ onAccepted, ...request }: RunTurnRequest): Promise<TurnResult> {
  const running = new CancellationScope();
  const begun = await begin(request, running, onAccepted);
  return endOf(begun, await runToEnd(begun, running, begun));
}

/** @param running cancelling it ends the wait for the turns before it: the turn is then taken in, and to be settled */
export async function begin(
  { id = newTurnId(), taskQueue, ...request }: TurnRequest,
  running: CancellationScope,
  onAccepted?: (id: string) => void,
): Promise<AgentTurnInput> {
  const where = taskQueue === undefined ? {} : { taskQueue };
  const { workflowId, firstExecutionRunId: firstRunId } = workflowInfo();
  const { beginTurn } = proxyActivities<TurnActivities>({
    ...where,
    startToCloseTimeout: '30s',
    retry: { initialInterval: '200ms', maximumInterval: '10s' },
    // One that has begun may have taken the turn in: it is to be known, and settled.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
  const { isReady, ...begun } = await withoutActivity(() => beginTurn({ turn: id, owner: { workflowId, firstRunId }, request }));
  const { database, heartbeatTimeoutMs } = begun;
  onAccepted?.(id);
  if (!isReady) {
    const { awaitTurn } = proxyActivities<TurnActivities>({
      ...where,
      startToCloseTimeout: '365 days',
      heartbeatTimeout: heartbeatTimeoutMs,
      retry: { initialInterval: '200ms', maximumInterval: '10s', nonRetryableErrorTypes: [wrongDatabase] },
    });
    try {
      await running.run(() => awaitTurn({ database, turn: id }));
    } catch (error) {
      // The loop finds its scope cancelled, and settles the turn.
      if (!isCancellation(error)) throw error;
    }
  }
  return { ...begun, turn: id, isOwn: true, ...where };
}

/** @throws {CancelledFailure} where the turn has ended with its scope */
export async function endOf({ database, turn, taskQueue }: AgentTurnInput, { status }: TurnStatus): Promise<TurnResult> {
  if (status === 'cancelled' && CancellationScope.current().consideredCancelled) throw new CancelledFailure('the turn was cancelled');
  const { readResult } = quickActivities({ taskQueue });
  return CancellationScope.nonCancellable(() => withoutActivity(() => readResult({ database, turn })));
}

/** What is wrong is the request: that an activity found it out is nothing to its author. */
async function withoutActivity<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure) throw error.cause;
    throw error;
  }
}
