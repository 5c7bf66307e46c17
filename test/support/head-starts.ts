/** Head starts, held where a test wants them: before Temporal starts the workflow, before the request is sent, without beats. */
import { type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { RunningAttempts } from '../../src/activities/attempt/running-attempts.ts';
import { workflowIdOf } from '../../src/contract/workflows.ts';
import { createProvider } from '../../src/providers/create-provider.ts';
import { type Store, StoreBusyError } from '../../src/store/ports/store.ts';
import { until } from './until.ts';
import type { World } from './world.ts';

/** No workflow is started before `release`. */
export function holdStarts({ temporal }: World): { readonly release: () => void } {
  const { workflowService } = temporal.connection;
  const start = workflowService.startWorkflowExecution.bind(workflowService);
  const { promise, resolve: release } = Promise.withResolvers<void>();
  Object.assign(workflowService, {
    startWorkflowExecution: async (request: Parameters<typeof start>[0]) => {
      await promise;
      return start(request);
    },
  });
  return { release };
}

export interface HeldStore {
  readonly store: Store;
  /** Attempts may build their prompts, and send their requests. */
  readonly release: () => void;
  /** Its process is heard of no more: no beat of it reaches the database. */
  readonly stopBeats: () => void;
}

/** @param holdsRequests no request is sent before `release` */
export function holdStore(store: Store, holdsRequests: boolean): HeldStore {
  const { promise, resolve: release } = Promise.withResolvers<void>();
  let isSilent = false;
  return {
    store: {
      ...store,
      async readTranscript(turn, options) {
        if (holdsRequests) await promise;
        return store.readTranscript(turn, options);
      },
      async beat(beat) {
        if (isSilent) throw new StoreBusyError('no beat reaches the database');
        return store.beat(beat);
      },
    },
    release,
    stopBeats() {
      isSilent = true;
    },
  };
}

export interface SilentProcess extends HeldStore {
  readonly attempts: RunningAttempts;
  readonly errors: readonly unknown[];
}

/** A process that gives turns their head start, and polls no task: whatever Temporal runs, runs in another. */
export function startSilentProcess(world: World, { holdsRequests = false } = {}): SilentProcess {
  const held = holdStore(world.openStore(), holdsRequests);
  const { limits, provider: options } = world.config;
  const provider = createProvider({ ...options, limits });
  const errors: unknown[] = [];
  const attempts = new RunningAttempts({
    store: held.store,
    provider,
    limits,
    onReady: () => undefined,
    onError: (error) => errors.push(error),
  });
  world.onClose(async () => {
    held.release();
    await attempts.drain(0);
    await provider.close();
    await held.store.close();
  });
  return { ...held, attempts, errors };
}

/** Temporal is asked for a turn's workflow while the turn's request runs: the workflow may be yet to come. */
export async function workflowStarted({ temporal }: World, turn: string): Promise<WorkflowHandle> {
  const handle = temporal.workflow.getHandle(workflowIdOf(turn));
  await until(async () => {
    try {
      await handle.describe();
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  });
  return handle;
}

/** Temporal has given the activity of a turn to a worker. */
export async function activityRuns(world: World, turn: string): Promise<void> {
  const handle = await workflowStarted(world, turn);
  await until(async () => {
    const { raw } = await handle.describe();
    return raw.pendingActivities?.some(({ lastStartedTime }) => lastStartedTime != null) === true;
  });
}
