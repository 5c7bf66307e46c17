/**
 * Gives a session a title, from the words of its first turn. A run of its own, with limits of its own: whatever becomes
 * of it, the turn knows nothing of it. A session that gets none simply has none.
 */
import { ActivityFailure, isCancellation, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { TurnActivities } from '../contract/activities.ts';
import { type TitleInput, titleQueueOf } from '../contract/workflows.ts';

/**
 * Gives a session its title. Its activity is on a queue of its own, `<task queue>/titles`.
 *
 * @example
 *     // In the workflow code that a worker bundles
 *     export { title } from 'turnkeep/workflow';
 */
export async function title(input: TitleInput): Promise<{ readonly hasTitle: boolean }> {
  const { writeTitle } = proxyActivities<TurnActivities>({
    taskQueue: titleQueueOf(workflowInfo().taskQueue),
    startToCloseTimeout: '1 minute',
    scheduleToCloseTimeout: '5 minutes',
    // Of a request that the provider refused; one that it began to answer is not made again.
    retry: { maximumAttempts: 3, initialInterval: '1s' },
  });
  try {
    return await writeTitle(input);
  } catch (error) {
    if (error instanceof ActivityFailure && !isCancellation(error)) return { hasTitle: false };
    throw error;
  }
}
