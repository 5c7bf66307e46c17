/**
 * Starts, signals and looks up the workflows of turns. A dispatch may be repeated: one run of a turn's workflow at a time is
 * Temporal's promise, and a settled turn is not run again. What fails, or has no answer in time, is left to the sweep of any
 * process.
 */
import { type WorkflowClient, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import {
  agentTurnType,
  type AgentTurnInput,
  cancelSignal,
  type TitleInput,
  titleType,
  type TurnMemo,
  titleWorkflowIdOf,
  webhookType,
  webhookWorkflowIdOf,
  type WebhookInput,
  workflowIdOf,
} from '../contract/workflows.ts';
import type { WebhookEnd } from '../contract/activities.ts';
import { turnTimeMs } from '../domain/turn/budget.ts';
import type { TurnOwner, TurnRow } from '../domain/turn/turn.ts';
import type { Store } from '../store/ports/store.ts';
import type { DispatchedRun, UnattendedTurn } from '../store/ports/turns.ts';
import { claimAndRun, type LocalAttempts } from './local-attempts.ts';
import { type Priority, priorityOf, urgencyOf } from './priority.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';

export interface DispatcherOptions {
  readonly workflows: WorkflowClient;
  readonly taskQueue: string;
  readonly store: Pick<Store, 'claim' | 'databaseId' | 'markDispatched' | 'readTurn'>;
  readonly limits: { readonly heartbeatTimeoutMs: number; readonly turnTimeoutMs: number };
  /** Client and worker share a connection: the first workflow task then comes with the start's own answer. */
  readonly isEager: boolean;
  /** Of a process with a version: do runs begin with that one? Only then is a start eager. See `watchCurrentVersion`. */
  readonly isCurrentVersion?: (() => boolean) | undefined;
  readonly headStart?: LocalAttempts;
  /** How long Temporal may take to answer a call, in ms; 10 s where nothing is said. */
  readonly answerTimeoutMs?: number;
}

/** By what else than its own id people look for a turn, and what it is asked with. */
export type TurnNames = Pick<TurnRow, 'publicId' | 'session'>;

/** What a turn is started with, so that it need not be read. */
export type StartedTurn = TurnNames & Pick<TurnRow, 'settings' | 'tenant' | 'parent'>;

/** A server that takes connections and never answers, or a network that loses every packet, would hold a call for ever. */
const defaultAnswerTimeoutMs = 10_000;

/** A dead worker's workflow task is given to another after this; a task takes milliseconds. */
const workflowTaskTimeout = '3s' as const;

/** A title that comes later than this is not worth a request. */
const titleTimeout = '10 minutes' as const;

/** An owner that lives ends its turn itself when its time is over, on a worker that may have much to do. */
const ownersGraceMs = 60_000;

/** Time for the first token of a model that is fast. */
const startAfterRequestMs = 30;

/** `TASK_QUEUE_TYPE_WORKFLOW`. */
const workflowQueue = 1;

/** Starts that are confirmed within this time are booked in one commit. */
const markEveryMs = 20;

/**
 * Starts, signals and looks up the workflows of turns.
 *
 * @example
 *     import { Client } from '@temporalio/client';
 *     import { Dispatcher, openSqliteStore } from 'turnkeep/client';
 *
 *     const dispatcher = new Dispatcher({
 *       workflows: new Client().workflow,
 *       taskQueue: 'turnkeep',
 *       store: openSqliteStore('turnkeep.db'),
 *       limits: { heartbeatTimeoutMs: 8_000, turnTimeoutMs: 3_600_000 },
 *       isEager: false,
 *     });
 *     await dispatcher.start('resp_1');
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  #started: DispatchedRun[] = [];

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  get headStart(): LocalAttempts | undefined {
    return this.#options.headStart;
  }

  /** A turn may run now. Sends its request, if this process can, and tells Temporal. Never rejects. */
  async runReady(turn: string, row?: StartedTurn): Promise<void> {
    const { headStart, store } = this.#options;
    if (headStart !== undefined) await claimAndRun(store, headStart, { turn, step: 1 }).catch(() => undefined);
    await this.start(turn, row).catch(() => undefined);
  }

  /**
   * Tells Temporal of a turn whose request is on its way: after its first token, as a rule, for which both would want the same
   * CPU (18.7 -> 14.5 ms). The turn is in the database: whoever dies in between leaves it to the sweep of any process.
   */
  startSoon(turn: string, row?: StartedTurn): void {
    setTimeout(() => {
      this.start(turn, row).catch(() => undefined);
    }, startAfterRequestMs);
  }

  /** Resolves once Temporal has the turn. Throws when Temporal cannot be reached. */
  async start(turn: string, given?: StartedTurn): Promise<void> {
    const { workflows, taskQueue, store, isEager, isCurrentVersion = () => true, limits } = this.#options;
    const { heartbeatTimeoutMs } = limits;
    const row = given ?? (await store.readTurn(turn));
    const turnTimeoutMs = turnTimeMs(row?.settings.budget, limits.turnTimeoutMs);
    const input: AgentTurnInput = { turn, database: store.databaseId, heartbeatTimeoutMs, turnTimeoutMs, tellsEnd: true };
    const memo = memoOf(turn, row);
    const priority = row && priorityOf(row.tenant, await urgencyOf(store, row));
    const { firstExecutionRunId: runId } = await this.#answered(() =>
      workflows.start(agentTurnType, {
        workflowId: workflowIdOf(turn),
        taskQueue,
        args: [input],
        workflowTaskTimeout,
        workflowIdConflictPolicy: 'USE_EXISTING',
        requestEagerStart: isEager && isCurrentVersion(),
        ...(memo === undefined ? {} : { memo }),
        ...(priority === undefined ? {} : { priority }),
      }),
    );
    this.#started.push({ turn, runId });
    if (this.#started.length === 1) setTimeout(() => void this.#markStarted(), markEveryMs);
  }

  /** Tells the workflow to stop the turn. Throws when there is none, or Temporal cannot be reached. */
  async cancel(turn: string): Promise<void> {
    const handle = this.#options.workflows.getHandle(workflowIdOf(turn));
    await this.#answered(() => handle.signal(cancelSignal));
  }

  /** Once a session, however often it is called. Throws when Temporal cannot be reached. */
  async startTitle(due: Omit<TitleInput, 'database'>): Promise<void> {
    const { workflows, taskQueue, store } = this.#options;
    const input: TitleInput = { ...due, database: store.databaseId };
    const options = {
      workflowId: titleWorkflowIdOf(input.session),
      taskQueue,
      args: [input],
      workflowExecutionTimeout: titleTimeout,
      ...(await this.#afterwards(due.turn)),
    };
    await this.#once(() => workflows.start(titleType, { ...options, workflowIdReusePolicy: 'REJECT_DUPLICATE' }));
  }

  /**
   * Once an event, however often it is called. Resolves with how the run that was there already has ended, if it has. Throws
   * when Temporal cannot be reached.
   */
  async startWebhook(turn: string): Promise<WebhookEnd | undefined> {
    const { workflows, taskQueue, store } = this.#options;
    const input: WebhookInput = { database: store.databaseId, turn };
    const workflowId = webhookWorkflowIdOf(turn);
    const options = { workflowId, taskQueue, args: [input], workflowTaskTimeout, ...(await this.#afterwards(turn)) };
    const isNew = await this.#once(() => workflows.start(webhookType, { ...options, workflowIdReusePolicy: 'REJECT_DUPLICATE' }));
    if (isNew) return undefined;
    const handle = workflows.getHandle<(of: WebhookInput) => Promise<WebhookEnd>>(workflowId);
    const { status } = await this.#answered(() => handle.describe());
    if (status.name === 'COMPLETED') return this.#answered(() => handle.result());
    // One that was terminated or cancelled by hand is not to go on.
    return status.name === 'RUNNING' ? undefined : { status: 'given_up' };
  }

  /** Of what follows from a turn: whoever asked for it does not wait for that. */
  async #afterwards(turn: string): Promise<{ priority?: Priority }> {
    const row = await this.#options.store.readTurn(turn);
    return row === undefined ? {} : { priority: priorityOf(row.tenant, 'afterwards') };
  }

  /** A start that finds the workflow there, running or done, has come to what it was for: false. */
  async #once(start: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.#answered(start);
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }

  /**
   * Has anybody carried out workflows on the queue of its turns in the last minutes? As far as Temporal says: who cannot be asked
   * has said nothing against it.
   */
  async hasWorkers(): Promise<boolean> {
    const { workflows, taskQueue } = this.#options;
    const { namespace } = workflows.options;
    const query = { namespace, taskQueue: { name: taskQueue }, taskQueueType: workflowQueue };
    const answer = await this.#answered(() => workflows.workflowService.describeTaskQueue(query)).catch(() => undefined);
    return answer === undefined || answer.pollers.length > 0;
  }

  /** Does a workflow run this turn? Throws when Temporal cannot be reached. */
  async isRunning(turn: string): Promise<boolean> {
    const handle = this.#options.workflows.getHandle(workflowIdOf(turn));
    try {
      const { status } = await this.#answered(() => handle.describe());
      return status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof Error && error.name === 'WorkflowNotFoundError') return false;
      throw error;
    }
  }

  /**
   * Does a workflow of somebody's own still go on with its turn? Not one that has ended, nor another one of the same id; not
   * past the time that a turn has: its run may have been reset to before it. Throws when Temporal cannot be reached.
   */
  async isOwned({ turn, owner, readyAtMs }: Pick<UnattendedTurn, 'turn' | 'readyAtMs'> & { readonly owner: TurnOwner }): Promise<boolean> {
    const { store, limits } = this.#options;
    const budget = (await store.readTurn(turn))?.settings.budget;
    if (Date.now() > readyAtMs + turnTimeMs(budget, limits.turnTimeoutMs) + ownersGraceMs) return false;
    const handle = this.#options.workflows.getHandle(owner.workflowId);
    try {
      const { status, raw } = await this.#answered(() => handle.describe());
      const firstRunId = raw.workflowExecutionInfo?.firstRunId;
      return status.name === 'RUNNING' && (!firstRunId || firstRunId === owner.firstRunId);
    } catch (error) {
      if (error instanceof Error && error.name === 'WorkflowNotFoundError') return false;
      throw error;
    }
  }

  /** A call to Temporal, which throws when there is no answer in time. What it asked for may have happened all the same. */
  #answered<T>(call: () => Promise<T>): Promise<T> {
    const { workflows, answerTimeoutMs = defaultAnswerTimeoutMs } = this.#options;
    return workflows.withDeadline(Date.now() + answerTimeoutMs, call);
  }

  /** A start that is not booked is made again by a sweep, which finds it running. */
  async #markStarted(): Promise<void> {
    const runs = this.#started;
    this.#started = [];
    await retryWhileBusy(() => this.#options.store.markDispatched(runs)).catch(() => undefined);
  }
}

function memoOf(turn: string, names: TurnNames | undefined): TurnMemo | undefined {
  if (names === undefined || (names.publicId === turn && names.session === null)) return undefined;
  return {
    ...(names.publicId === turn ? {} : { response_id: names.publicId }),
    ...(names.session === null ? {} : { session: names.session }),
  };
}
