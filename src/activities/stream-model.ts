/**
 * The activity `streamModel`: claims the right to one request of a step, and runs it as an attempt.
 *
 * A claim that is refused sends nothing (T2). Whatever comes of the attempt leaves here as the step's result, or as a
 * failure whose type tells Temporal's retry policy whether to run the activity again (T3, T4).
 */
import { activityInfo } from '@temporalio/activity';
import type { StreamModelInput } from '../../contract/activities.ts';
import { failureOf } from '../../domain/failure.ts';
import { requestsPerStep } from '../../domain/retry-policy.ts';
import type { RequestedOutcome, StepResult } from '../../domain/turn-state.ts';
import { settleTurn } from '../../settle/settle-turn.ts';
import type { Claim, ClaimRequest, Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { AttemptAborted } from './abort-reason.ts';
import { AttemptMonitor } from './attempt-monitor.ts';
import { toApplicationFailure } from './attempt-result.ts';
import { runAttempt, type RunAttemptDeps } from './run-attempt.ts';

export async function streamModel(deps: RunAttemptDeps, input: StreamModelInput): Promise<StepResult> {
  const { store } = deps;
  using monitor = new AttemptMonitor(input.deadlineAtMs);
  const claim = await claimStep(store, input, monitor);
  switch (claim.type) {
    case 'settled':
      return { type: 'final', turn: claim.settled };
    case 'started':
      // Whoever began this answer is gone, and it is never asked for again (T2).
      return settled(store, input.turn, { status: 'failed', failure: failureOf('worker_lost') });
    case 'cancelled':
      return settled(store, input.turn, { status: 'cancelled' });
    case 'exhausted':
      throw toApplicationFailure({
        type: 'failed',
        failure: failureOf('transport_failed'),
        requestsMade: requestsPerStep,
        mayRetry: false,
      });
    case 'granted': {
      const result = await runAttempt(deps, claim, input.step, monitor);
      if (result.type === 'failed') throw toApplicationFailure(result);
      return result.step;
    }
  }
}

async function claimStep(store: Store, input: StreamModelInput, { signal }: AttemptMonitor): Promise<Claim> {
  const request = claimRequest(input);
  try {
    return await retryWhileBusy(() => store.claim(request), signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    // Stopped while the database was busy: no request was booked, so the next attempt may claim.
    const isTurnOver = signal.reason instanceof AttemptAborted && signal.reason.reason === 'deadline';
    throw toApplicationFailure({
      type: 'failed',
      failure: failureOf(isTurnOver ? 'turn_timeout' : 'worker_lost'),
      requestsMade: 0,
      mayRetry: !isTurnOver,
    });
  }
}

async function settled(store: Store, turn: string, requested: RequestedOutcome): Promise<StepResult> {
  return { type: 'final', turn: await retryWhileBusy(() => settleTurn(store, turn, requested, Date.now())) };
}

function claimRequest({ turn, step }: StreamModelInput): ClaimRequest {
  const { workflowExecution } = activityInfo();
  if (workflowExecution === undefined) throw new Error('streamModel runs in a workflow');
  return { turn, step, atMs: Date.now(), workflowId: workflowExecution.workflowId, runId: workflowExecution.runId };
}
