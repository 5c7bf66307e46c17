/**
 * One run is one turn. The course of it is `domain/agent-turn.ts`; this file carries out its commands with
 * Temporal's means and hears the two signals.
 *
 * Runs in Temporal's sandbox: imports only the domain, the types of the activities and `@temporalio/workflow`.
 *
 * Turns of a session share the workflow id `session/<id>`, so Temporal itself lets one run at a time. Turns that
 * arrive meanwhile wait in `waiting`, and the run continues as new into the next: idle sessions cost nothing, and
 * a history is one turn to debug.
 */
import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  defineSignal,
  isCancellation,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { StreamFailureDetails, TurnActivities } from '../contract/activities.ts';
import {
  decide,
  evolve,
  initialTurn,
  type TurnStatus,
  type TurnCommand,
  type TurnResult,
  type RequestedOutcome,
} from '../domain/turn-state.ts';
import { type Failure, failureOf, isFailureCode } from '../domain/failure.ts';
import { delayBeforeMs } from '../domain/retry-policy.ts';
import { type AgentTurnInput, cancelSignal, submittedSignal } from '../contract/workflows.ts';

/** A turn of this session was accepted. Known ones are passed over: it may be said twice. */
export const submitted = defineSignal<[turn: string]>(submittedSignal);
/** Stop this turn, if it is the one that runs. */
export const cancel = defineSignal<[turn: string]>(cancelSignal);

/** How long a cancelled activity may take to hand in what it has (T5). */
const partialGraceMs = 1_500;
const step = 1;
/** The marker of a change that old histories do not know. */
const leftOfThree = 'requests-left-of-the-three';

const { recordInput } = proxyLocalActivities<TurnActivities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '100ms', maximumInterval: '2s' },
});

const { settleTurn } = proxyActivities<TurnActivities>({
  // Again and again until the database took it.
  startToCloseTimeout: '5s',
  retry: { initialInterval: '200ms', maximumInterval: '5s' },
});

interface Limits {
  readonly heartbeatTimeoutMs: number;
  readonly deadlineAtMs: number;
}

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

async function runTurn(turn: string, running: CancellationScope): Promise<TurnStatus> {
  let state = initialTurn;
  let limits: Limits | undefined;
  for (;;) {
    const command = decide(state);
    if (command.type === 'close') return { status: command.status, code: command.code };
    if (command.type === 'recordInput') {
      // Not even a cancel keeps the user's words out of the transcript.
      const recorded = await CancellationScope.nonCancellable(() => recordInput({ turn }));
      limits = { heartbeatTimeoutMs: recorded.heartbeatTimeoutMs, deadlineAtMs: Date.now() + recorded.turnTimeoutMs };
      state = evolve(state, { type: 'recorded', ...(recorded.settled === undefined ? {} : { settled: recorded.settled }) });
    } else if (command.type === 'settleTurn') {
      state = evolve(state, await settle(turn, command.end));
    } else {
      state = evolve(state, await carryOut(command, turn, limits, running));
    }
  }
}

async function settle(turn: string, end: RequestedOutcome): Promise<TurnResult> {
  return { type: 'settled', settled: await CancellationScope.nonCancellable(() => settleTurn({ turn, end })) };
}

/** What a cancel can interrupt: the request, and the wait for a busy provider. */
async function carryOut(
  command: Extract<TurnCommand, { type: 'streamModel' | 'wait' }>,
  turn: string,
  limits: Limits | undefined,
  running: CancellationScope,
): Promise<TurnResult> {
  if (limits === undefined) throw new Error('a turn is recorded before it runs');
  try {
    return await running.run(async () => {
      if (command.type === 'wait') {
        if (Date.now() + command.waitMs > limits.deadlineAtMs) return { type: 'failed', failure: failureOf('turn_timeout') };
        await sleep(command.waitMs);
        return { type: 'waited' };
      }
      return await stream(command, turn, limits);
    });
  } catch (error) {
    if (isCancellation(error)) return { type: 'cancelled' };
    // Asked for while the provider broke: the user's wish is what the turn ends with, unless it has its end.
    if (running.consideredCancelled) return { type: 'cancelled' };
    if (error instanceof ActivityFailure) return resultOf(error);
    throw error;
  }
}

async function stream(
  command: Extract<TurnCommand, { type: 'streamModel' }>,
  turn: string,
  { heartbeatTimeoutMs, deadlineAtMs }: Limits,
): Promise<TurnResult> {
  const leftMs = deadlineAtMs - Date.now();
  if (leftMs <= 0) return { type: 'failed', failure: failureOf('turn_timeout') };
  const { streamModel } = proxyActivities<TurnActivities>({
    // A little longer than the activity's own clock, so that the activity closes its stream itself when it can.
    scheduleToCloseTimeout: leftMs + heartbeatTimeoutMs,
    heartbeatTimeout: heartbeatTimeoutMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // The law of retries: what may be tried again is said by the failure itself, and so is the wait.
    retry: {
      maximumAttempts: command.requestsLeft,
      initialInterval: delayBeforeMs(command.requestsMade + 2),
      backoffCoefficient: 2,
      maximumInterval: '1 day',
    },
  });
  const answer = streamModel({ turn, step, deadlineAtMs });
  // A dead worker never hands in its partial: after the grace it is fenced and the turn sealed without it.
  const grace = CancellationScope.current()
    .cancelRequested.catch(() => undefined)
    .then(() => CancellationScope.nonCancellable(() => sleep(partialGraceMs)))
    .then((): never => {
      throw new CancelledFailure('no partial answer within the grace');
    });
  grace.catch(() => undefined);
  return { type: 'settled', settled: await Promise.race([answer, grace]) };
}

/** What a failed activity means for the turn. The tag of the failure is its `type`. */
function resultOf({ cause }: ActivityFailure): TurnResult {
  if (cause instanceof CancelledFailure) return { type: 'cancelled' };
  if (cause instanceof TimeoutFailure) {
    // A worker that died, or stands still and holds on to what it polled: the claim of the next one decides.
    return cause.timeoutType === 'SCHEDULE_TO_CLOSE' ? { type: 'failed', failure: failureOf('turn_timeout') } : { type: 'lost' };
  }
  if (!(cause instanceof ApplicationFailure) || !isFailureCode(cause.type)) {
    return { type: 'failed', failure: failureOf('internal_error') };
  }
  const details = cause.details?.[0] as StreamFailureDetails | undefined;
  // Runs from before this took the last of these failures for the turn's end: they replay without the marker (T10).
  if (cause.nonRetryable !== true && patched(leftOfThree)) {
    // Temporal's attempts ran out, some of them on workers that never sent a request: what is left of the three is ours.
    const failure = failureOf('transport_failed');
    return details === undefined ? { type: 'lost' } : { type: 'busy', failure, hint: {}, requestsMade: details.requestsMade };
  }
  const failure: Failure = {
    code: cause.type,
    message: cause.message,
    ...(details?.retryAtMs === undefined ? {} : { retryAtMs: details.retryAtMs }),
  };
  if (failure.code !== 'provider_busy' || details === undefined) return { type: 'failed', failure };
  const { requestsMade, retryAfterMs, final } = details;
  const hint = { ...(retryAfterMs === undefined ? {} : { retryAfterMs }), ...(final === undefined ? {} : { final }) };
  return { type: 'busy', failure, hint, requestsMade };
}
