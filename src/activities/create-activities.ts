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
 *     import { createActivities, createProvider, openSqliteStore, RunningAttempts } from 'turnkeep/activities';
 *     import { readConfig } from 'turnkeep/config';
 *
 *     const { limits, provider: options } = readConfig({ env: process.env });
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const provider = createProvider({ ...options, limits });
 *     const onReady = (turn: string): void => console.log(`${turn} is to be dispatched`);
 *     const attempts = new RunningAttempts({ store, provider, limits, onReady, onError: console.error });
 *     const activities = createActivities({ store, provider, attempts, onReady });
 */
export function createActivities(deps: ActivityDeps): TurnActivities {
  return {
    streamModel: (input) => streamModel(deps, input),
    settleTurn: (input) => settleTurn(deps, input),
    writeTitle: (input) => writeTitle(deps, input),
  };
}
