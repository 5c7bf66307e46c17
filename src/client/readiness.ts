/** Is everything up? Temporal answers, a worker polls, the database takes writes. */
import type { Client } from '@temporalio/client';
import type { Store } from '../store/ports/store.ts';
import { inTime } from './patience.ts';

const temporalPatienceMs = 2_000;
/** A poll lasts a minute at most, so a worker that lives has begun one since. */
const pollerFreshMs = 70_000;

export interface ReadinessDeps {
  readonly client: Client;
  readonly store: Pick<Store, 'probe'>;
  readonly namespace: string;
  readonly taskQueue: string;
}

/** What is not ready, in words. @param without what is not asked: turns are taken in while Temporal is away */
export type Readiness = (without?: 'temporal') => Promise<readonly string[]>;

export function createReadiness({ client, store, namespace, taskQueue }: ReadinessDeps): Readiness {
  async function temporal(): Promise<string | undefined> {
    try {
      const described = client.connection.workflowService.describeTaskQueue({ namespace, taskQueue: { name: taskQueue } });
      const { pollers } = await inTime(described, temporalPatienceMs);
      const isPolled = (pollers ?? []).some(
        ({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1_000 > Date.now() - pollerFreshMs,
      );
      return isPolled ? undefined : `no worker polls the task queue ${taskQueue}`;
    } catch {
      return 'Temporal does not answer';
    }
  }

  async function database(): Promise<string | undefined> {
    return store.probe().then(
      () => undefined,
      () => 'the database cannot be written',
    );
  }

  return async (without) =>
    (await Promise.all([without === 'temporal' ? undefined : temporal(), database()])).filter((reason) => reason !== undefined);
}
