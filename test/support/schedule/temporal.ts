/**
 * Temporal, as far as turns need it: it carries out the commands of a turn's workflow, runs activities as their retry policies
 * say, notices workers that send no heartbeat, hands on cancels, and has its runs reset.
 */
import { ActivityCancellationDetails, ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { Dispatcher } from '../../../src/client/dispatcher.ts';
import type { StreamFailureDetails } from '../../../src/contract/activities.ts';
import type { AgentTurnInput } from '../../../src/contract/workflows.ts';
import { failureOf, isFailureCode } from '../../../src/domain/failure.ts';
import { delayBeforeMs } from '../../../src/domain/turn/retry-policy.ts';
import {
  decide,
  evolve,
  type RequestedOutcome,
  type StepResult,
  turnAt,
  type TurnCommand,
  type TurnResult,
  type TurnStatus,
} from '../../../src/domain/turn/turn-state.ts';
import { heartbeatTimeoutMs, limits } from './limits.ts';
import type { Process } from './process.ts';
import type { Schedule } from './schedule.ts';

const partialGraceMs = 1_500;
/** Of a run, and of the one that follows it. */
const resetChance = 0.1;
const longestBeforeResetMs = 8_000;

/** Failed attempts are what this is about: nobody is warned of them. */
const logger = new DefaultLogger('ERROR');

/** A workflow, through all of its runs. */
interface Workflow {
  readonly input: AgentTurnInput;
  readonly cancelled: PromiseWithResolvers<'cancelled'>;
  isCancelled: boolean;
  isDone: boolean;
}

/** A run of it: when it is reset, another one begins at the first step. */
interface Run {
  readonly workflow: Workflow;
  readonly reset: PromiseWithResolvers<'reset'>;
  isReset: boolean;
}

export class FakeTemporal {
  readonly #schedule: Schedule;
  readonly #workflows = new Map<string, Workflow>();
  #resets = 0;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  get resets(): number {
    return this.#resets;
  }

  get isIdle(): boolean {
    return [...this.#workflows.values()].every(({ isDone }) => isDone);
  }

  /** What a dispatcher needs of Temporal's client. */
  clientOf(process: Process): ConstructorParameters<typeof Dispatcher>[0]['workflows'] {
    const workflows = {
      withDeadline: async (_: number, call: () => unknown) => call(),
      start: async (
        _: string,
        { workflowId, args: [input] }: { readonly workflowId: string; readonly args: readonly [AgentTurnInput] },
      ) => {
        await process.alive();
        this.#start(workflowId, input);
        return { firstExecutionRunId: `run of ${workflowId}` };
      },
      getHandle: (id: string) => ({ signal: async () => this.#cancel(id) }),
    };
    return workflows as unknown as ConstructorParameters<typeof Dispatcher>[0]['workflows'];
  }

  /** As the sweep of a process that lives: nothing happens where the workflow is there. */
  start(turn: string): void {
    const { databaseId: database } = this.#schedule.store;
    this.#start(`turn/${turn}`, { turn, database, heartbeatTimeoutMs, turnTimeoutMs: limits.turnTimeoutMs });
  }

  #start(id: string, input: AgentTurnInput): void {
    if (this.#workflows.has(id)) return;
    const workflow: Workflow = { input, cancelled: Promise.withResolvers(), isCancelled: false, isDone: false };
    this.#workflows.set(id, workflow);
    this.#run(workflow);
  }

  #cancel(id: string): void {
    const workflow = this.#workflows.get(id);
    if (workflow === undefined) return;
    workflow.isCancelled = true;
    workflow.cancelled.resolve('cancelled');
  }

  #run(workflow: Workflow): void {
    const run: Run = { workflow, reset: Promise.withResolvers(), isReset: false };
    this.#toEnd(run)
      .catch((error: unknown) => this.#schedule.errors.push(error))
      .finally(() => {
        if (!run.isReset) workflow.isDone = true;
      });
    const { dice, clock } = this.#schedule;
    if (!dice.isBelow(resetChance)) return;
    void clock.sleep(dice.upTo(longestBeforeResetMs)).then(() => {
      if (workflow.isDone) return;
      run.isReset = true;
      this.#resets += 1;
      run.reset.resolve('reset');
      this.#run(workflow);
    });
  }

  async #toEnd(run: Run): Promise<void> {
    const { clock } = this.#schedule;
    const { cancelled } = run.workflow;
    let state = turnAt(1);
    while (!run.isReset) {
      const command = decide(state);
      if (command.type === 'close') return;
      if (command.type === 'wait') {
        const end = await Promise.race([clock.sleep(command.waitMs), cancelled.promise, run.reset.promise]);
        state = evolve(state, end === 'cancelled' ? { type: 'cancelled' } : { type: 'waited' });
      } else if (command.type === 'settleTurn') {
        state = evolve(state, { type: 'settled', settled: await this.#settle(run, command.requested) });
      } else if (run.workflow.isCancelled) {
        state = evolve(state, { type: 'cancelled' });
      } else {
        state = evolve(state, await this.#streamModel(run, command));
      }
    }
  }

  async #settle({ workflow }: Run, requested: RequestedOutcome): Promise<TurnStatus> {
    const { database, turn } = workflow.input;
    for (;;) {
      const process = await this.#schedule.living();
      const environment = new MockActivityEnvironment({}, { logger });
      const settling: Promise<TurnStatus> = environment.run(process.activities.settleTurn, { database, turn, requested });
      const end = await Promise.race([
        settling.catch(() => 'failed' as const),
        process.died.promise,
        this.#schedule.clock.sleep(5_000).then(() => 'late' as const),
      ]);
      if (typeof end === 'object') return end;
      await this.#schedule.clock.sleep(200);
    }
  }

  /** Runs of the activity, as its retry policy has them. */
  async #streamModel(run: Run, { step, requestsLeft, requestsMade }: Extract<TurnCommand, { type: 'streamModel' }>): Promise<TurnResult> {
    const { clock } = this.#schedule;
    const { cancelled, input } = run.workflow;
    for (let attempt = 1; ; attempt += 1) {
      const process = await this.#schedule.living();
      const environment = new MockActivityEnvironment({ heartbeatTimeoutMs }, { logger });
      const running: Promise<StepResult> = environment.run(process.activities.streamModel, { ...input, step });
      const ended = running.then(
        (result) => ({ type: 'stepEnded', step: result }) as const,
        (error: unknown) => ({ type: 'failed', error }) as const,
      );
      const grace = cancelled.promise.then(async () => {
        environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
        await clock.sleep(partialGraceMs);
        return 'cancelled' as const;
      });
      // A worker that stands still, or is dead, is noticed by the heartbeats that it does not send.
      const end = await Promise.race([ended, grace, process.silent, run.reset.promise]);
      if (end === 'cancelled') return { type: 'cancelled' };
      if (end === 'reset') {
        environment.cancel('NOT_FOUND', new ActivityCancellationDetails({ notFound: true }));
        return { type: 'lost' };
      }
      if (end === 'silent') {
        environment.cancel('TIMED_OUT', new ActivityCancellationDetails({ timedOut: true }));
        if (attempt >= requestsLeft) return { type: 'lost' };
        await clock.sleep(delayBeforeMs(requestsMade + 2));
        continue;
      }
      if (end.type === 'stepEnded') return end;
      const { error } = end;
      if (!(error instanceof ApplicationFailure) || !isFailureCode(error.type)) throw error;
      const details = error.details?.[0] as StreamFailureDetails | undefined;
      const failure = failureOf(error.type);
      if (error.nonRetryable === true) {
        if (failure.code !== 'provider_busy' || details === undefined) return { type: 'failed', failure };
        const hint = details.retryAfterMs === undefined ? {} : { retryAfterMs: details.retryAfterMs };
        return { type: 'busy', failure, hint, requestsMade: details.requestsMade };
      }
      if (attempt >= requestsLeft) {
        if (details === undefined) return { type: 'lost' };
        return { type: 'busy', failure: failureOf('transport_failed'), hint: {}, requestsMade: details.requestsMade };
      }
      const retryDelay = typeof error.nextRetryDelay === 'number' ? error.nextRetryDelay : delayBeforeMs(requestsMade + 1 + attempt);
      const waited = await Promise.race([clock.sleep(retryDelay), cancelled.promise, run.reset.promise]);
      if (waited === 'cancelled') return { type: 'cancelled' };
      if (waited === 'reset') return { type: 'lost' };
    }
  }
}
