/** The activities with what they need: the one place where they meet the database and the provider. */
import type { TurnActivities } from '../contract/activities.ts';
import { settleTurn } from './settle-turn.ts';
import { streamModel, type StreamModelDeps } from './stream-model.ts';
import { writeTitle, type WriteTitleDeps } from './write-title.ts';

export type ActivityDeps = StreamModelDeps & WriteTitleDeps;

/**
 * The activities of a turn, to register with a Temporal worker.
 *
 * @example
 *     const activities = createActivities({ store, provider, attempts, onReady });
 *     await Worker.create({ connection, taskQueue: 'turnkeep', workflowBundle, activities });
 */
export function createActivities(deps: ActivityDeps): TurnActivities {
  return {
    streamModel: (input) => streamModel(deps, input),
    settleTurn: (input) => settleTurn(deps, input),
    writeTitle: (input) => writeTitle(deps, input),
  };
}
