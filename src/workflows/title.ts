/**
 * Gives a session a title, from the words of its first turn. A run of its own, with limits of its own: whatever becomes
 * of it, the turn knows nothing of it. A session that gets none simply has none.
 */
import { ActivityFailure, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { TurnActivities } from '../contract/activities.ts';
import type { TitleInput } from '../contract/workflows.ts';

const { writeTitle } = proxyActivities<TurnActivities>({
  startToCloseTimeout: '1 minute',
  scheduleToCloseTimeout: '5 minutes',
  retry: { maximumAttempts: 3, initialInterval: '1s' },
});

/**
 * Gives a session its title.
 *
 * @example
 *     // In the workflow code that a worker bundles
 *     export { title } from 'turnkeep/workflow';
 */
export async function title(input: TitleInput): Promise<{ readonly hasTitle: boolean }> {
  try {
    return await writeTitle(input);
  } catch (error) {
    if (error instanceof ActivityFailure && !isCancellation(error)) return { hasTitle: false };
    throw error;
  }
}
