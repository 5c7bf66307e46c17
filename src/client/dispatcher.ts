/**
 * Starts, signals and looks up the workflows of turns. A dispatch may be repeated: the workflow passes over a turn that it
 * knows, and a settled turn is not run again.
 */
import { type WorkflowClient, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import {
  agentTurnType,
  type AgentTurnInput,
  cancelSignal,
  submittedSignal,
  type TitleInput,
  titleType,
  titleWorkflowIdOf,
  workflowIdOf,
} from '../contract/workflows.ts';

export interface DispatcherOptions {
  readonly workflows: WorkflowClient;
  readonly taskQueue: string;
  /** Client and worker share a connection: the first workflow task then comes with the start's own answer. */
  readonly isEager: boolean;
}

export interface DispatchableTurn {
  readonly id: string;
  readonly session: string | null;
}

/** A dead worker's workflow task is given to another after this; recording the input takes milliseconds. */
const workflowTaskTimeout = '3s';

/** A title that comes later than this is not worth a request. */
const titleTimeout = '10 minutes';

/**
 * Starts, signals and looks up the workflows of turns.
 *
 * @example
 *     import { Client } from '@temporalio/client';
 *     import { Dispatcher } from 'turnkeep/client';
 *
 *     const dispatcher = new Dispatcher({ workflows: new Client().workflow, taskQueue: 'turnkeep', isEager: false });
 *     await dispatcher.dispatch({ id: 'resp_1', session: null });
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  /** By session: turns of one session are dispatched in the order they were accepted. */
  readonly #queues = new Map<string, Promise<void>>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Resolves once Temporal has the turn. Throws when Temporal cannot be reached. */
  async dispatch(turn: DispatchableTurn): Promise<void> {
    if (turn.session === null) return this.#start(turn);
    const earlier = this.#queues.get(turn.session) ?? Promise.resolve();
    const dispatched = earlier.then(() => this.#start(turn));
    const settled = dispatched.catch(() => undefined);
    this.#queues.set(turn.session, settled);
    try {
      await dispatched;
    } finally {
      if (this.#queues.get(turn.session) === settled) this.#queues.delete(turn.session);
    }
  }

  /** Tells the workflow to stop the turn. Throws when there is none, or Temporal cannot be reached. */
  async cancel(turn: DispatchableTurn): Promise<void> {
    await this.#options.workflows.getHandle(workflowIdOf(turn)).signal(cancelSignal, turn.id);
  }

  /** Once a session, however often it is called. Throws when Temporal cannot be reached. */
  async startTitle(input: TitleInput): Promise<void> {
    const { workflows, taskQueue } = this.#options;
    const options = { workflowId: titleWorkflowIdOf(input.session), taskQueue, args: [input], workflowExecutionTimeout: titleTimeout };
    try {
      await workflows.start(titleType, { ...options, workflowIdReusePolicy: 'REJECT_DUPLICATE' });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  /** The run of the workflow this turn belongs to, if one runs. Throws when Temporal cannot be reached. */
  async runningRun(turn: DispatchableTurn): Promise<string | undefined> {
    try {
      const { status, runId } = await this.#options.workflows.getHandle(workflowIdOf(turn)).describe();
      return status.name === 'RUNNING' ? runId : undefined;
    } catch (error) {
      if (error instanceof Error && error.name === 'WorkflowNotFoundError') return undefined;
      throw error;
    }
  }

  async #start(turn: DispatchableTurn): Promise<void> {
    const { workflows, taskQueue, isEager } = this.#options;
    const input: AgentTurnInput = { turn: turn.id };
    const options = { workflowId: workflowIdOf(turn), taskQueue, args: [input], workflowTaskTimeout };
    try {
      // A plain start may be eager, which saves a few ms; a signal with start cannot.
      await workflows.start(agentTurnType, { ...options, requestEagerStart: isEager });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await workflows.signalWithStart(agentTurnType, { ...options, signal: submittedSignal, signalArgs: [turn.id] });
    }
  }
}
