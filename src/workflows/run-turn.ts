/**
 * Runs one turn with Temporal's means: carries out the commands of `domain/turn/turn-state.ts` until the turn is settled.
 * Runs in Temporal's sandbox: imports only domain, contract and `@temporalio/workflow`.
 */
import {
  ActivityCancellationType,
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  patched,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  TimeoutFailure,
  workflowInfo,
} from '@temporalio/workflow';
import { type StreamFailureDetails, type TurnActivities, wrongDatabase } from '../contract/activities.ts';
import type { AgentTurnInput } from '../contract/workflows.ts';
import { type Failure, failureOf, isFailureCode } from '../domain/failure.ts';
import { delayBeforeMs } from '../domain/turn/retry-policy.ts';
import {
  decide,
  evolve,
  type RequestedOutcome,
  turnAt,
  type TurnCommand,
  type TurnResult,
  type TurnStatus,
} from '../domain/turn/turn-state.ts';

/** How long a cancelled `streamModel` may take to hand in what it has (T5). */
const partialGraceMs = 1_500;

/** Since this patch a cancel starts two timers at most; before, it started one for each request that there had been. */
const oneGrace = 'one-grace';

/** Retried until the database has taken it. */
const quickly = {
  startToCloseTimeout: '5s',
  retry: { initialInterval: '200ms', maximumInterval: '1 minute', nonRetryableErrorTypes: [wrongDatabase] },
} satisfies ActivityOptions;

/** Local, so that it has slots of its own: no number of running streams keeps a turn from its end. */
const local = proxyLocalActivities<TurnActivities>({ ...quickly, localRetryThreshold: '1s' });

export interface RunOptions {
  /** Called before each step but the first, whose number it gets with the deadline of the turn: it may end the run. */
  readonly beforeStep?: (rest: Required<Pick<AgentTurnInput, 'step' | 'deadlineAtMs'>>) => Promise<void>;
  /** Where the activities run that change the turn; the workflow's own where nothing is said. */
  readonly taskQueue?: string | undefined;
}

/** Those that take milliseconds. */
export function quickActivities({ taskQueue }: Pick<RunOptions, 'taskQueue'>): Pick<TurnActivities, 'settleTurn' | 'readResult'> {
  return taskQueue === undefined || taskQueue === workflowInfo().taskQueue
    ? local
    : proxyActivities<TurnActivities>({ ...quickly, taskQueue });
}

/**
 * @param input the turn is in the database, and ready
 * @param running cancelling this scope stops the turn; what was shown stays
 */
export async function runToEnd(input: AgentTurnInput, running: CancellationScope, options: RunOptions = {}): Promise<TurnStatus> {
  const { step: first = 1, deadlineAtMs = Date.now() + input.turnTimeoutMs } = input;
  let state = turnAt(first);
  for (let begun = first; ;) {
    const command = decide(state);
    if (command.type === 'streamModel' && command.step > begun) {
      begun = command.step;
      await options.beforeStep?.({ step: begun, deadlineAtMs });
    }
    if (command.type === 'close') return { status: command.status, code: command.code };
    state = evolve(
      state,
      command.type === 'settleTurn'
        ? await settle(input, command.requested, options)
        : await carryOut(command, { ...input, deadlineAtMs }, running, options),
    );
  }
}

async function settle({ database, turn }: AgentTurnInput, requested: RequestedOutcome, options: RunOptions): Promise<TurnResult> {
  const { settleTurn } = quickActivities(options);
  return { type: 'settled', settled: await CancellationScope.nonCancellable(() => settleTurn({ database, turn, requested })) };
}

type Bounded = AgentTurnInput & { readonly deadlineAtMs: number };

/** The commands that a cancel can interrupt: the request, and the wait for a busy provider. */
async function carryOut(
  command: Extract<TurnCommand, { type: 'streamModel' | 'wait' }>,
  input: Bounded,
  running: CancellationScope,
  options: RunOptions,
): Promise<TurnResult> {
  try {
    return await running.run(async () => {
      if (command.type === 'wait') {
        await sleep(command.waitMs);
        return { type: 'waited' };
      }
      return await stream(command, input, options);
    });
  } catch (error) {
    if (isCancellation(error)) return { type: 'cancelled' };
    // The cancel came while the provider failed: the cancel is what the turn ends with, unless it has its end (T5).
    if (running.consideredCancelled) return { type: 'cancelled' };
    if (error instanceof ActivityFailure) return resultOf(error);
    throw error;
  }
}

async function stream(
  command: Extract<TurnCommand, { type: 'streamModel' }>,
  { database, turn, heartbeatTimeoutMs, deadlineAtMs, step: first = 1 }: Bounded,
  { taskQueue }: RunOptions,
): Promise<TurnResult> {
  const leftMs = deadlineAtMs - Date.now();
  if (leftMs <= 0) return { type: 'failed', failure: failureOf('turn_timeout') };
  const { streamModel } = proxyActivities<TurnActivities>({
    ...(taskQueue === undefined ? {} : { taskQueue }),
    // A little longer than the activity's own clock, so that the activity closes its stream itself when it can.
    scheduleToCloseTimeout: leftMs + heartbeatTimeoutMs,
    heartbeatTimeout: heartbeatTimeoutMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // The law of retries: the failure itself says whether the request may be sent again, and after which wait.
    retry: {
      maximumAttempts: command.requestsLeft,
      initialInterval: delayBeforeMs(command.requestsMade + 2),
      backoffCoefficient: 2,
      maximumInterval: '1 day',
    },
  });
  const result = streamModel({ database, turn, step: command.step });
  let isOver = false;
  const isFirst = command.step === first && command.requestsMade === 0;
  // A dead worker never hands in its partial answer: after the grace it is fenced and the turn sealed without it. A cancel is told
  // to every request that the run has made, and those that are over need no grace: but of the first, where a timer is less than
  // the marker of the patch.
  const grace = CancellationScope.current()
    .cancelRequested.catch(() => undefined)
    .then(async () => {
      if (!isOver || isFirst || !patched(oneGrace)) await CancellationScope.nonCancellable(() => sleep(partialGraceMs));
    })
    .then((): never => {
      throw new CancelledFailure('no partial answer within the grace');
    });
  grace.catch(() => undefined);
  try {
    return { type: 'stepEnded', step: await Promise.race([result, grace]) };
  } finally {
    isOver = true;
  }
}

/** What a failed activity means for the turn. The tag of the failure is its `type`. */
function resultOf({ cause }: ActivityFailure): TurnResult {
  if (cause instanceof CancelledFailure) return { type: 'cancelled' };
  if (cause instanceof TimeoutFailure) {
    // A worker that died, or is frozen and keeps the task that it polled: the next claim decides.
    return cause.timeoutType === 'SCHEDULE_TO_CLOSE' ? { type: 'failed', failure: failureOf('turn_timeout') } : { type: 'lost' };
  }
  // The run ends without touching the turn: a process of its own finds it without one, and starts another.
  if (cause instanceof ApplicationFailure && cause.type === wrongDatabase) {
    throw ApplicationFailure.nonRetryable(cause.message, wrongDatabase);
  }
  if (!(cause instanceof ApplicationFailure) || !isFailureCode(cause.type)) {
    return { type: 'failed', failure: failureOf('internal_error') };
  }
  const details = cause.details?.[0] as StreamFailureDetails | undefined;
  if (cause.nonRetryable !== true) {
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
